"""tinyres/scale/parallel/rank_loader.py: the rows of all ranks together are the loader's batch."""

import numpy as np
import pytest

from tinyres.data import Dataset, Loader
from tinyres.scale.parallel import RankLoader

PICTURES = np.random.default_rng(0).integers(0, 256, (23, 3, 8, 8), dtype=np.uint8)
NUMBERED = Dataset(PICTURES, np.arange(23), tuple(f"class {i}" for i in range(23)), "numbered")


@pytest.mark.parametrize("size", [2, 3, 12])  # twelve: some have none of the 8 or 7
def test_the_ranks_rows_are_those_of_the_whole_batch(size):
    settings = {"shuffle": True, "augment": True, "seed": 3}
    whole = list(Loader(NUMBERED, 8, **settings).epoch(1))
    parts = [list(RankLoader(NUMBERED, 8, rank=rank, size=size, **settings).epoch(1)) for rank in range(size)]
    for step, (x, y) in enumerate(whole):
        assert np.array_equal(np.concatenate([part[step][0] for part in parts]), x)
        assert np.array_equal(np.concatenate([part[step][1] for part in parts]), y)
