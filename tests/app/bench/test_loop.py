"""Each part of the training loop gets its own time, and the batches are those of the real loader."""

import numpy as np
import pytest

from tinyres.app.bench import loop, step
from tinyres.data import Loader


def test_each_part_gets_its_time(monkeypatch):
    """The clock moves by a millisecond at each reading, and the loop reads it six times a step."""
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    ticks = iter(np.arange(0, 1, 1e-3))
    monkeypatch.setattr(step, "perf_counter", lambda: next(ticks))
    processor_ticks = iter(np.arange(0, 1, 3e-3))
    monkeypatch.setattr(loop, "thread_time", lambda: next(processor_ticks))
    measured = loop.measure("resnet8", batch_size=2, repeats=3)
    assert measured.pop("step_ms") == pytest.approx(6)
    expected = {"optimizer": 2, "waiting": 1, "metrics": 1, "preparing": 3, "together": 7}
    assert measured == {
        part: {"ms": pytest.approx(ms), "share": pytest.approx(ms / 6)} for part, ms in expected.items()
    }


def test_batches_are_the_loaders():
    dataset = loop.noise("resnet8", 10)
    settings = {"batch_size": 4, "shuffle": True, "augment": True}
    timed = loop.TimedLoader(dataset, **settings)
    for batch, expected in zip(timed.epoch(0), Loader(dataset, **settings).epoch(0), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(batch, expected, strict=True))
    assert len(timed.seconds) == 3
