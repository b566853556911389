"""tinyres/nn/fused.py: one op does what several do, and steps aside for who wants to look."""

import threading

import numpy as np
import pytest

import tinyres
from tinyres import Tensor, models, nn
from tinyres.nn import functional as F
from tinyres.nn.fused import Normed, norm_relu

SHAPE = (4, 3, 5, 2)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


class Names(tinyres.Observer):
    """Notes the names of the ops that ran."""

    def __init__(self):
        self.seen = []

    def applied(self, op, y):
        self.seen.append(op.name)


def ops_of(call):
    names = Names()
    with tinyres.observe(names):
        call()
    return names.seen


def layer(training=True, **settings):
    """A batch norm that has seen something and whose parameters are nobody's default."""
    norm = nn.BatchNorm2d(3, **settings).double().train(training)
    for k, tensor in enumerate([*norm.parameters(), *norm.buffers()]):
        if tensor.ndim:
            tensor.data[:] = normal(3, seed=k) ** 2 + 0.1
    return norm


def outcome(training, settings, with_residual):
    """y, every gradient and the state afterwards, of two steps."""
    norm = layer(training, **settings)
    results = []
    for step in range(2):
        x, residual = (Tensor(normal(*SHAPE, seed=10 * step + k), requires_grad=True) for k in range(2))
        y = (Normed(norm, x) + residual).relu() if with_residual else norm_relu(norm, x)
        y.backward(normal(*SHAPE, seed=99))
        leaves = [x, residual, *norm.parameters()] if with_residual else [x, *norm.parameters()]
        results += [y.data, *(leaf.grad for leaf in leaves)]
    return [*results, *norm.state_dict().values()]


@pytest.mark.parametrize("with_residual", [False, True], ids=["relu", "add_relu"])
@pytest.mark.parametrize(
    "settings", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}], ids=str
)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_fused_equals_unfused(training, settings, with_residual):
    fused = outcome(training, settings, with_residual)
    with tinyres.unfused():
        unfused = outcome(training, settings, with_residual)
    assert len(fused) == len(unfused) >= 4
    for a, b in zip(fused, unfused, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernels", ["array", "cpu"])
@pytest.mark.parametrize("name", ["resnet8", "plain8"])
def test_a_whole_network(name, kernels, monkeypatch):
    """Loss, all gradients and all running statistics, through conv, pooling and shortcuts."""
    monkeypatch.setenv("TINYRES_KERNELS", kernels)

    def step():
        tinyres.manual_seed(0)
        model = (models.resnet8() if name == "resnet8" else models.plain.cifar_plain(8, 10)).double()
        loss = F.cross_entropy(model(Tensor(normal(3, 3, 8, 8))), [1, 0, 7])
        loss.backward()
        return [loss.data, *(p.grad for p in model.parameters()), *model.state_dict().values()]

    fused = step()
    with tinyres.unfused():
        unfused = step()
    for a, b in zip(fused, unfused, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


class TestWhatRuns:
    x = Tensor(normal(*SHAPE), requires_grad=True)

    def add_relu(self, norm):
        return ops_of(lambda: (Normed(norm, self.x) + self.x).relu())

    def relu(self, norm):
        return ops_of(lambda: norm_relu(norm, self.x))

    def test_one_op(self):
        assert self.relu(layer()) == ["BatchNormReLU"]
        assert self.add_relu(layer()) == ["BatchNormAddReLU"]
        assert self.relu(layer(training=False)) == ["BatchNormReLUEval"]
        assert self.add_relu(layer(training=False)) == ["BatchNormAddReLUEval"]

    def test_unfused_they_run_one_by_one(self):
        with tinyres.unfused():
            assert self.relu(layer()) == ["BatchNorm", "ReLU"]
            assert self.add_relu(layer()) == ["BatchNorm", "Add", "ReLU"]
            assert self.add_relu(layer(training=False)) == ["BatchNormEval", "Add", "ReLU"]
        assert self.relu(layer()) == ["BatchNormReLU"]

    def test_unfused_is_over_after_an_error(self):
        with pytest.raises(KeyError), tinyres.unfused():
            raise KeyError
        assert self.relu(layer()) == ["BatchNormReLU"]

    def test_unfused_concerns_its_own_thread(self):
        seen = []
        with tinyres.unfused():
            thread = threading.Thread(target=lambda: seen.extend(self.relu(layer())))
            thread.start()
            thread.join()
        assert seen == ["BatchNormReLU"]

    def test_a_hook_sees_the_value_in_between(self):
        norm, seen = layer(), []
        hook = norm.register_forward_hook(lambda module, inputs, output: seen.append(output.data))
        assert self.add_relu(norm) == ["BatchNorm", "Add", "ReLU"]
        wanted = F.batch_norm(self.x, None, None, norm.weight, norm.bias).data
        np.testing.assert_array_equal(seen[0], wanted)
        hook.remove()
        assert self.add_relu(norm) == ["BatchNormAddReLU"]

    def test_a_hook_may_change_it(self):
        norm = layer()
        norm.register_forward_hook(lambda module, inputs, output: output * 0)
        assert not norm_relu(norm, self.x).data.any()

    def test_a_hook_on_a_layer_within_a_network_concerns_that_layer_alone(self):
        model = models.resnet8().double()
        block, seen = model.layer2[0], []
        block.bn2.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
        ops = ops_of(lambda: model(Tensor(normal(2, 3, 8, 8))))
        assert seen == [(2, 32, 4, 4)]
        assert ops.count("BatchNorm") == ops.count("Add") == ops.count("ReLU") == 1
        assert ops.count("BatchNormAddReLU") == 2 and ops.count("BatchNormReLU") == 4

    def test_another_layer_in_its_place_runs_as_it_is(self):
        assert self.add_relu(nn.Identity()) == ["Add", "ReLU"]

    def test_a_batch_norm_with_a_forward_of_its_own_too(self):
        class Doubled(nn.BatchNorm2d):
            def forward(self, x):
                return super().forward(x) * 2

        assert self.relu(Doubled(3).double()) == ["BatchNorm", "Multiply", "ReLU"]
