"""tinyres/look/step_memory.py: it counts the right bytes, each once, for any batch, and does not change the model."""

import copy
import tracemalloc

import numpy as np
import pytest

from tinyres import Tensor, models, nn
from tinyres.look.step_memory import Alive, memory_table, step_memory, train_step
from tinyres.nn import functional as F


@pytest.fixture(autouse=True)
def array_rung(monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")


def two_layers():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 100), nn.ReLU(), nn.Linear(100, 3))


class TestStepMemory:
    def test_every_figure(self):
        N = 10
        first, second = 4 * (12 * 100 + 100), 4 * (100 * 3 + 3)  # bytes of the two layers
        hidden, scores, loss = 4 * N * 100, 4 * N * 3, 4
        saved = hidden + scores + loss  # ReLU's output, which two ops save; softmax
        fullest = 3 * hidden + second + loss  # ReLU has run backward: y, gy, gx, and the next layer's gradients
        assert step_memory(two_layers(), (3, 2, 2), N) == {
            "parameters": first + second,
            "running statistics": 0,
            "gradients": first + second,
            "momentum": first + second,
            "one batch": 4 * N * 12 + 8 * N,
            "saved for backward": saved,
            "temporary": fullest - saved,
        }

    @pytest.mark.parametrize("name", ["resnet8", "plain18", "resnet50"])
    def test_any_batch_follows_from_two_small_ones(self, name):
        model, shape = models.build(name), (3, 32, 32)
        held, alive = train_step(copy.deepcopy(model), shape, 5)
        assert step_memory(model, shape, 5) == {**held, "temporary": max(alive) - held["saved for backward"]}

    def test_as_much_as_numpy_allocates(self):
        model, shape, N = models.build("resnet8").train(), (3, 32, 32), 16
        images, labels = Tensor(np.zeros((N, *shape), np.float32)), np.zeros(N, int)
        tracemalloc.start()
        try:
            loss = F.cross_entropy(model(images), labels)
            arrays = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
            traces = tracemalloc.take_snapshot().filter_traces([arrays]).traces
        finally:
            tracemalloc.stop()
        assert loss.requires_grad
        saved = step_memory(model, shape, N)["saved for backward"]
        assert saved == pytest.approx(sum(trace.size for trace in traces), rel=1e-3)

    def test_frozen_parameters_have_no_gradient_and_no_momentum(self):
        model = two_layers()
        model[1].requires_grad_(False)
        memory = step_memory(model, (3, 2, 2), 8)
        assert memory["parameters"] == 4 * 1603
        assert memory["gradients"] == memory["momentum"] == 4 * 303

    def test_double_precision_takes_twice_as_much(self):
        single, double = (step_memory(model, (3, 8, 8), 4) for model in (models.resnet8(), models.resnet8().double()))
        labels = 8 * 4
        assert double["one batch"] - labels == 2 * (single["one batch"] - labels)
        for what in ("parameters", "gradients", "momentum", "saved for backward", "temporary"):
            assert double[what] == 2 * single[what]

    def test_the_model_stays_as_it_is(self):
        model = models.resnet8().eval()
        before = model.state_dict()
        step_memory(model, (3, 32, 32), 128)
        assert all(np.array_equal(values, before[name]) for name, values in model.state_dict().items())
        assert all(parameter.grad is None for parameter in model.parameters())
        assert not any(module.training for module in model.modules())


class TestAlive:
    def test_a_piece_of_memory_counts_once(self):
        alive, array = Alive(known=[]), np.zeros((4, 6))
        alive.see(array, array[1:].T, array.reshape(-1), 3, None)
        assert alive.bytes == array.nbytes

    def test_it_counts_while_any_view_of_it_lives(self):
        alive, array = Alive(known=[]), np.zeros((4, 6))
        view = array[1:].T
        alive.see(view)
        del array
        assert alive.bytes == 4 * 6 * 8
        del view
        assert alive.bytes == 0

    def test_views_of_what_is_known_do_not_count(self):
        known = np.zeros((4, 6))
        alive = Alive(known=[known.T])
        alive.see(known[2:])
        assert alive.bytes == 0


def test_the_table():
    model = two_layers()
    lines = memory_table(model, (3, 2, 2), 10_000).splitlines()
    memory = step_memory(model, (3, 2, 2), 10_000)
    assert lines[0] == "memory of a training step: batches of 10000, SGD with momentum"
    assert [line[:18].strip() for line in lines[2:10]] == [*memory, "total"]
    assert lines[6].split() == ["one", "batch", "0.53", "MiB"]  # 10,000 · (12 · 4 + 8) bytes
    assert float(lines[9].split()[1]) == pytest.approx(sum(memory.values()) / 2**20, abs=0.005)
    assert lines[10].startswith("Counted: ")
