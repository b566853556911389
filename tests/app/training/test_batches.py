"""The batches that a run evaluates, on the CPU and on the emulated GPU (tests/cuda_on_cpu)."""

from types import SimpleNamespace

import numpy as np
import pytest
from cuda_on_cpu.cupy_stand_in import gpu  # noqa: F401
from runs import few_shapes, settings

from tinyres import data
from tinyres.app.training import batches
from tinyres.app.training.batches import RunLoader
from tinyres.device import device_of, to_device
from tinyres.scale.parallel import ALONE


def loader(device, limit=None, ranks=ALONE):
    """Of 50 images in batches of 12."""
    train, test = few_shapes()
    chosen = settings(batch_size=12, device=device, limit_batches=limit)
    return RunLoader(test, chosen, *data.channel_statistics(train), ranks)


def joined(found):
    """Images and labels of all batches, on the CPU."""
    return [np.concatenate([to_device(part, "cpu") for part in parts]) for parts in zip(*found, strict=True)]


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("at_once", "limit", "counts"),
    [(20, None, [20, 20, 10]), (1000, None, [50]), (1, None, [12, 12, 12, 12, 2]), (20, 2, [20, 4])],
)
def test_a_gpu_keeps_the_same_images_in_larger_batches(at_once, limit, counts, monkeypatch):
    monkeypatch.setattr(batches, "AT_ONCE", at_once * 3 * 32 * 32)
    there = loader("cuda", limit)
    found = list(there.to_evaluate())
    assert [len(labels) for _, labels in found] == counts
    assert {device_of(array) for batch in found for array in batch} == {"cuda:0"}
    for array, wanted in zip(joined(found), joined(loader("cpu", limit).to_evaluate()), strict=True):
        np.testing.assert_array_equal(array, wanted)
    monkeypatch.setattr(there, "epoch", None)  # they are not made again
    assert [x is y for x, y in zip(there.to_evaluate(), found, strict=True)] == [True] * len(counts)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("device", "ranks", "most"),
    [("cpu", 1, 50), ("cuda", 2, 50), ("cuda", 1, 49)],
    ids=["on the CPU", "by two ranks", "too many"],
)
def test_otherwise_each_batch_is_made_when_it_is_wanted(device, ranks, most, monkeypatch):
    monkeypatch.setattr(batches, "MOST_KEPT", most * 3 * 32 * 32)
    found = list(loader(device, ranks=SimpleNamespace(rank=0, size=ranks)).to_evaluate())
    assert [len(labels) for _, labels in found] == [count // ranks for count in (12, 12, 12, 12, 2)]
    assert {device_of(array) for batch in found for array in batch} == {"cpu"}
