"""tinyres/data/dataset.py: what a data set accepts, its fingerprint, the split, the channel statistics."""

import numpy as np
import pytest

from tinyres.data import Dataset, channel_statistics, split

IMAGES = np.arange(4 * 3 * 2 * 2, dtype=np.uint8).reshape(4, 3, 2, 2)
LABELS = np.array([0, 1, 1, 0])
CLASSES = ("cat", "dog")


def test_take_keeps_the_order_asked_for():
    taken = Dataset(IMAGES, LABELS, CLASSES, "pets").take([2, 0])
    np.testing.assert_array_equal(taken.images, IMAGES[[2, 0]])
    np.testing.assert_array_equal(taken.labels, [1, 0])
    assert (taken.classes, taken.name, len(taken)) == (CLASSES, "pets", 2)


@pytest.mark.parametrize("indices", [slice(1, 3), range(1, 3), (1, 2), np.array([False, True, True, False])])
def test_take_understands_all_that_numpy_does(indices):
    np.testing.assert_array_equal(Dataset(IMAGES, LABELS, CLASSES, "pets").take(indices).images, IMAGES[1:3])


def test_nothing_cannot_be_taken():
    with pytest.raises(ValueError, match="at least one image"):
        Dataset(IMAGES, LABELS, CLASSES, "pets").take([])


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES.astype(np.float32), LABELS, r"expected images uint8 \(N, C, H, W\), got float32"),
        (IMAGES[0], LABELS, r"expected images uint8 \(N, C, H, W\), got uint8 \(3, 2, 2\)"),
        (IMAGES, LABELS.astype(np.int32), r"expected labels int64 \(N,\), got int32"),
        (IMAGES, LABELS[:, None], r"expected labels int64 \(N,\), got int64 \(4, 1\)"),
        (IMAGES[:3], LABELS, "3 images, 4 labels"),
        (IMAGES[:0], LABELS[:0], "at least one image"),
        (IMAGES, LABELS + 1, "expected labels from 0 to 1 .* got 1 to 2"),
        (IMAGES, LABELS - 1, "expected labels from 0 to 1 .* got -1 to 0"),
    ],
)
def test_what_does_not_fit_is_refused(images, labels, message):
    with pytest.raises(ValueError, match=message):
        Dataset(images, labels, CLASSES, "pets")


def test_fingerprint_sees_every_pixel_and_label():
    def fingerprint(images, labels):
        return Dataset(images, labels, CLASSES, "pets").sha256()

    pixel_changed = IMAGES.copy()
    pixel_changed[3, 2, 1, 1] += 1
    reshaped = IMAGES.reshape(4, 3, 1, 4)
    relabelled = np.array([0, 1, 1, 1])
    different = [(pixel_changed, LABELS), (reshaped, LABELS), (IMAGES, relabelled)]
    assert fingerprint(IMAGES.copy(), LABELS.copy()) == fingerprint(IMAGES, LABELS)
    assert len({fingerprint(*data) for data in [(IMAGES, LABELS), *different]}) == 4


def test_split_parts_are_disjoint_complete_and_in_the_old_order():
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
    whole = Dataset(images, np.zeros(100, np.int64), ("all",), "numbers")
    rest, validation = (part.images.ravel() for part in split(whole, 30, seed=0))
    assert len(validation) == 30
    assert sorted([*rest, *validation]) == list(range(100))
    assert list(rest) == sorted(rest)
    assert list(validation) == sorted(validation)


def test_split_is_random_by_the_seed_alone():
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
    whole = Dataset(images, np.zeros(100, np.int64), ("all",), "numbers")
    first, again, other = (split(whole, 30, seed)[1].sha256() for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("validation", [0, 4, -1])
def test_split_needs_something_on_either_side(validation):
    with pytest.raises(ValueError, match=f"between 1 and 3 .* got {validation}"):
        split(Dataset(IMAGES, LABELS, CLASSES, "pets"), validation, seed=0)


def test_channel_statistics_are_those_of_the_definition():
    images = np.random.default_rng(0).integers(0, 256, (2500, 3, 2, 3), dtype=np.uint8)  # more than two chunks
    images[:, 1] //= 2  # channels that differ
    mean, std = channel_statistics(Dataset(images, np.zeros(2500, np.int64), ("all",), "noise"))
    assert mean.dtype == std.dtype == np.float32
    np.testing.assert_allclose(mean, (images / 255).mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std, (images / 255).std(axis=(0, 2, 3)), rtol=1e-6)
