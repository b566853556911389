"""tinyres/scale/tables.py: the tables make the loader's batches."""

import numpy as np
import pytest

from tinyres.data import Dataset, Loader
from tinyres.scale.tables import table_of_draws, table_of_pixels


@pytest.mark.parametrize("augment", [True, False])
def test_draws_and_the_table_of_pixels_make_the_same_batches(augment):
    """Done by hand here; on a GPU by augment.cu."""
    draws = np.random.default_rng(0)
    dataset = Dataset(draws.integers(0, 256, (7, 3, 8, 16), dtype=np.uint8), np.arange(7), tuple("abcdefg"), "noise")
    mean, std = np.full(3, 0.4), np.array([0.1, 0.2, 0.3])
    loader = Loader(dataset, 3, shuffle=True, augment=augment, mean=mean, std=std)
    table, black = table_of_pixels(loader), np.zeros((3, 24, 32), np.uint8)  # 8 more on every side
    for step, (x, y) in enumerate(loader.epoch(2)):
        for n, (picture, row, column, mirrored) in enumerate(table_of_draws(loader, 2)[step, : len(y)]):
            canvas = black.copy()
            canvas[:, 8:16, 8:24] = dataset.images[picture]
            crop = canvas[:, 8 + row : 16 + row, 8 + column : 24 + column]
            crop = crop[:, :, ::-1] if mirrored else crop
            np.testing.assert_array_equal([table[crop[c], c] for c in range(3)], x[n])
            assert y[n] == dataset.labels[picture]
