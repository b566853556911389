"""tinyres/random.py: a key names a draw."""

import itertools

import numpy as np
import pytest

from tinyres import random


@pytest.fixture(autouse=True)
def start_over():
    yield
    random.manual_seed(0)


def draw(*key, **parts):
    return tuple(random.generator(*key, **parts).integers(1 << 62, size=2).tolist())


def test_the_same_key_gives_the_same_numbers():
    assert draw(1, "flip", 2, 3, 4) == draw(1, "flip", epoch=2, step=3, draw=4)
    assert draw(1, "flip") == draw(1, "flip", 0, 0, 0)


def test_every_part_of_the_key_counts():
    keys = list(itertools.product((0, 1), ("flip", "crop"), (0, 1), (0, 1), (0, 1)))
    assert len({draw(*key) for key in keys}) == len(keys) == 32


def test_the_numbers_themselves_are_for_good():
    """A changed generator would break every run that is to be resumed or repeated."""
    assert random.generator(0, "crop", epoch=3, step=7).integers(9, size=4).tolist() == [8, 2, 5, 4]


def test_neighbouring_keys_are_uncorrelated():
    rows = np.array([random.generator(0, "noise", step=step).standard_normal(1000) for step in range(30)])
    correlations = np.corrcoef(rows)[np.triu_indices(30, 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(1000)


def next_draws(*purposes):
    return [random.next_generator(purpose).integers(1 << 62) for purpose in purposes]


def test_the_nth_layer_that_asks_gets_key_n():
    random.manual_seed(7)
    random.set_step(2, 5)
    wanted = [random.generator(7, "dropout", 2, 5, draw).integers(1 << 62) for draw in range(3)]
    assert next_draws("dropout", "dropout", "dropout") == wanted


def test_each_draw_within_a_step_differs_and_purposes_do_not_disturb_each_other():
    first, other, second = next_draws("dropout", "init", "dropout")
    random.set_step(0, 0)
    assert next_draws("dropout", "dropout", "init") == [first, second, other]
    assert len({first, second, other}) == 3


def test_a_step_repeated_repeats_its_draws():
    random.set_step(2, 5)
    draws = next_draws("dropout", "dropout")
    random.set_step(2, 6)
    assert next_draws("dropout", "dropout") != draws
    random.set_step(2, 5)
    assert next_draws("dropout", "dropout") == draws


def test_manual_seed_starts_over():
    random.manual_seed(1)
    draws = next_draws("init")
    random.set_step(3, 4)
    random.manual_seed(1)
    assert next_draws("init") == draws
    random.manual_seed(2)
    assert next_draws("init") != draws


def test_a_negative_seed():
    with pytest.raises(ValueError, match="manual_seed: expected a seed of 0 or more, got -1"):
        random.manual_seed(-1)


def test_rewinding_draws_the_same_again():
    random.manual_seed(7)
    random.set_step(2, 5)
    next_draws("dropout")
    position = random.position()
    drawn = next_draws("dropout", "init", "dropout")
    random.manual_seed(8)
    for _ in range(2):  # what was drawn after one rewinding does not wear the position out
        random.rewind(position)
        assert next_draws("dropout", "init", "dropout") == drawn


def test_the_step_that_was_said_last():
    random.set_step(3, 17)
    assert random.current_step() == (3, 17)
    random.manual_seed(1)
    assert random.current_step() == (0, 0)


@pytest.mark.parametrize("row", [1, 3])  # 3·5 numbers before: an odd count, of 32 bits each
def test_rows_of_a_draw_for_the_whole_batch(row):
    random.set_step(1, 2)
    whole = random.next_uniform("dropout", (5, 5))
    random.set_step(1, 2, first_row=row)
    assert np.array_equal(random.next_uniform("dropout", (5 - row, 5)), whole[row:])
    random.set_step(1, 2)
    assert np.array_equal(random.next_generator("dropout").random((5, 5), np.float32), whole)
