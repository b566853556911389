"""tinyres/data/loader.py: which batches come, whatever is prefetched; and the thread: its errors, its end."""

import threading
import traceback

import numpy as np
import pytest

from tinyres.data import Dataset, Loader
from tinyres.data.loader import prepared_ahead

PICTURES = np.random.default_rng(0).integers(0, 256, (23, 3, 8, 8), dtype=np.uint8)
NUMBERED = Dataset(PICTURES, np.arange(23), tuple(f"class {i}" for i in range(23)), "numbered")


def labels(loader, epoch=0, start=0):
    return [y.tolist() for _, y in loader.epoch(epoch, start)]


def same_batches(first, second):
    first, second = list(first), list(second)
    return len(first) == len(second) and all(
        np.array_equal(x, x2) and np.array_equal(y, y2) for (x, y), (x2, y2) in zip(first, second, strict=True)
    )


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("tinyres-loader")]


# ---- which batches ---------------------------------------------------------------------------------------------------


def test_batches_in_order_with_a_smaller_last_one():
    loader = Loader(NUMBERED, 10)
    batches = list(loader.epoch(0))
    assert [x.shape for x, _ in batches] == [(10, 3, 8, 8), (10, 3, 8, 8), (3, 3, 8, 8)]
    assert np.concatenate(labels(loader)).tolist() == list(range(23))
    assert len(loader) == 3
    x, y = batches[0]
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    np.testing.assert_allclose(x, PICTURES[:10] / 255, rtol=1e-6)


def test_normalised_with_the_given_statistics():
    mean, std = np.array([0.1, 0.2, 0.3]), np.array([0.4, 0.5, 0.6])
    ((x, _),) = Loader(NUMBERED, 23, mean=mean, std=std, dtype=np.float64).epoch(0)
    np.testing.assert_allclose(x, (PICTURES / 255 - mean[:, None, None]) / std[:, None, None], atol=1e-12)
    assert x.dtype == np.float64


def test_shuffle_brings_every_picture_once_in_another_order_each_epoch():
    loader = Loader(NUMBERED, 10, shuffle=True)
    epochs = [np.concatenate(labels(loader, epoch)).tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(23)) for order in epochs)
    assert len({tuple(order) for order in epochs}) == 3
    assert labels(loader, 0) == labels(Loader(NUMBERED, 10, shuffle=True), 0)
    assert labels(loader, 0) != labels(Loader(NUMBERED, 10, shuffle=True, seed=1), 0)


def test_drop_last_and_limit():
    assert [len(y) for y in labels(Loader(NUMBERED, 10, drop_last=True))] == [10, 10]
    assert [len(y) for y in labels(Loader(NUMBERED, 10, limit=1))] == [10]
    assert len(Loader(NUMBERED, 10, drop_last=True)) == 2
    assert len(Loader(NUMBERED, 10, limit=7)) == 3


@pytest.mark.parametrize("other", ["crop", "flip"])
def test_crops_and_flips_each_differ_by_epoch_and_by_batch(monkeypatch, other):
    # leaves one of the two to be seen
    monkeypatch.setattr(f"tinyres.data.loader.{other}", lambda images, *drawn: images)
    one_picture = Dataset(PICTURES[[0] * 20], np.zeros(20, np.int64), ("it",), "one picture")
    loader = Loader(one_picture, 10, augment=True)
    batches = [x.tobytes() for epoch in range(2) for x, _ in loader.epoch(epoch)]
    assert len(set(batches)) == 4


@pytest.mark.parametrize(("side", "padding"), [(64, 4), (32, 4), (16, 2)])
def test_small_pictures_are_shifted_by_less(monkeypatch, side, padding):
    seen = []
    monkeypatch.setattr("tinyres.data.loader.crop", lambda images, places, by: seen.append(by) or images)
    pictures = Dataset(np.zeros((2, 3, side, side), np.uint8), np.zeros(2, np.int64), ("it",), "black")
    next(Loader(pictures, 2, augment=True, prefetch=0).epoch(0))
    assert seen == [padding]


@pytest.mark.parametrize("prefetch", [1, 2, 50])
def test_prefetching_changes_no_batch(prefetch):
    ahead = Loader(NUMBERED, 4, shuffle=True, augment=True, prefetch=prefetch)
    at_once = Loader(NUMBERED, 4, shuffle=True, augment=True, prefetch=0)
    assert same_batches(ahead.epoch(5), at_once.epoch(5))


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("start", [0, 1, 5, 6])
def test_a_late_start_gives_the_batches_of_a_whole_epoch(prefetch, start):
    loader = Loader(NUMBERED, 4, shuffle=True, augment=True, prefetch=prefetch)
    assert same_batches(loader.epoch(3, start), list(loader.epoch(3))[start:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size of 1 or more, got 0"),
        ({"batch_size": 24, "drop_last": True}, "leaves no batch of 23 images"),
        ({"limit": 0}, "limit of 1 batch or more.* got 0"),
        ({"prefetch": -1}, "prefetch of 0 or more, got -1"),
        ({"mean": np.zeros(3)}, "mean and std together"),
        ({"mean": np.zeros(1), "std": np.ones(1)}, r"shape \(3,\), got \(1,\)"),
        ({"mean": np.zeros(3), "std": np.array([1, 0, 1])}, "every std above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Loader(NUMBERED, **({"batch_size": 10} | options))


@pytest.mark.parametrize("start", [-1, 4])
def test_a_start_outside_the_epoch_is_refused_at_once(start):
    with pytest.raises(ValueError, match=f"start between 0 and 3, .* got {start}"):
        Loader(NUMBERED, 10).epoch(0, start)


# ---- the thread ------------------------------------------------------------------------------------------------------


def test_works_ahead_but_not_further_than_told():
    prepared = []
    third_is_prepared = threading.Event()

    def prepare(step):
        prepared.append(step)
        if step == 2:
            third_is_prepared.set()
        return step

    results = prepared_ahead(prepare, range(10), ahead=2)
    assert next(results) == 0
    assert third_is_prepared.wait(timeout=10)  # with nobody asking
    results.close()
    assert prepared == [0, 1, 2]


def test_an_error_is_raised_where_the_batch_is_asked_for_with_its_own_traceback():
    def prepare(step):
        if step == 2:
            raise ArithmeticError("planted")
        return step

    results = prepared_ahead(prepare, range(10), ahead=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ArithmeticError, match="planted") as caught:
        next(results)
    assert "prepare" in [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert loader_threads() == []


def test_the_thread_is_gone_after_the_epoch():
    loader = Loader(NUMBERED, 4)
    batches = loader.epoch(0)
    next(batches)
    assert len(loader_threads()) == 1
    list(batches)
    assert loader_threads() == []


def test_the_thread_is_gone_when_the_loop_is_left_early():
    for _ in Loader(NUMBERED, 4).epoch(0):
        assert len(loader_threads()) == 1
        break
    assert loader_threads() == []


def test_the_thread_is_gone_after_ctrl_c():
    def interrupted_training():
        for _ in Loader(NUMBERED, 4).epoch(0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_training()
    assert loader_threads() == []  # the frame that held the iterator is gone; so is what it held


def test_without_prefetching_there_is_no_thread():
    batches = Loader(NUMBERED, 4, prefetch=0).epoch(0)
    next(batches)
    assert loader_threads() == []
