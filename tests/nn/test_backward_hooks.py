"""Module.register_full_backward_hook: what it sees, and that looking changes nothing."""

import weakref

import numpy as np
import pytest

import tinyres
from tinyres import Tensor, models, nn
from tinyres.nn import functional as F


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def leaf(*shape, seed=0):
    return Tensor(normal(*shape, seed=seed), requires_grad=True)


def watch(module):
    """A list that fills with (module, grad_input, grad_output)."""
    seen = []
    module.register_full_backward_hook(lambda *call: seen.append(call))
    return seen


def test_what_arrives_and_what_leaves():
    layer, x, gy = nn.Linear(3, 2).double(), leaf(4, 3), normal(4, 2, seed=1)
    seen = watch(layer)
    layer(x).backward(gy)
    [(module, (gx,), (arrived,))] = seen
    assert module is layer
    np.testing.assert_array_equal(arrived, gy)
    np.testing.assert_allclose(gx, gy @ layer.weight.data)
    np.testing.assert_array_equal(x.grad, gx)


def test_only_the_modules_own_part_of_an_input_that_goes_two_ways():
    layer, x = nn.Linear(3, 3).double(), leaf(4, 3)
    seen = watch(layer)
    (layer(x) + x * 10).sum().backward()
    np.testing.assert_allclose(seen[0][1][0] + 10, x.grad)


def test_all_of_an_output_that_goes_two_ways():
    seen, x = watch(layer := nn.Identity()), leaf(3)
    y = layer(x)
    (y * 2 + y * 5).sum().backward()
    assert [(gx.tolist(), gy.tolist()) for _, (gx,), (gy,) in seen] == [([7] * 3, [7] * 3)]


def test_identity_and_branch_of_a_residual_block_add_up():
    model = models.resnet8().double()
    block = model.layer2[0]
    branch, identity, together = watch(block.conv1), watch(block.downsample), watch(block)
    F.cross_entropy(model(Tensor(normal(2, 3, 8, 8))), [0, 1]).backward()
    parts = branch[0][1][0] + identity[0][1][0]
    np.testing.assert_allclose(parts, together[0][1][0], rtol=1e-12)
    assert parts.any()


def test_inputs_that_need_no_gradient():
    class Three(nn.Module):
        def forward(self, x, y, z, scale):
            return x * z * scale

    module, x, z = Three(), leaf(3), leaf(3, seed=1)
    seen = watch(module)
    module(x, "text", z, Tensor(np.full(3, 2.0))).sum().backward()
    _, (gx, of_text, gz, of_scale), _ = seen[0]
    np.testing.assert_allclose(gx, 2 * z.data)
    np.testing.assert_allclose(gz, 2 * x.data)
    assert of_text is of_scale is None

    layer = nn.Linear(3, 2).double()
    seen = watch(layer)
    layer(Tensor(normal(4, 3))).sum().backward()  # only the parameters need gradients
    assert seen[0][1] == (None,) and seen[0][2][0].shape == (4, 2)


def test_each_call_and_each_backward_is_told_of():
    layer, x = nn.Linear(3, 3).double(), leaf(4, 3)
    seen = watch(layer)
    y = layer(layer(x)).sum()
    y.backward(retain_graph=True)
    y.backward(2.0)
    assert len(seen) == 4
    np.testing.assert_array_equal(seen[0][1][0], seen[1][2][0])  # what leaves the second call arrives at the first
    np.testing.assert_array_equal(2 * seen[0][1][0], seen[2][1][0])


def test_gradients_are_the_same_to_the_last_bit():
    def gradients(watched):
        tinyres.manual_seed(0)
        with tinyres.unfused():  # a hook on a batch norm alone would unfuse it
            model = models.resnet8()
            if watched:
                model.apply(watch)
            F.cross_entropy(model(Tensor(normal(2, 3, 8, 8).astype("f4"))), [0, 1]).backward()
        return [parameter.grad.tobytes() for parameter in model.parameters()]

    assert gradients(watched=True) == gradients(watched=False)


def test_a_hook_on_a_fused_batch_norm_is_heard():
    model = models.resnet8()
    seen = watch(model.layer1[0].bn2)
    F.cross_entropy(model(Tensor(normal(2, 3, 8, 8).astype("f4"))), [0, 1]).backward()
    assert seen[0][2][0].shape == (2, 16, 8, 8)


def test_nothing_without_gradients():
    seen = watch(layer := nn.Linear(3, 2).double())
    with tinyres.no_grad():
        assert not layer(leaf(4, 3)).requires_grad
    assert nn.Identity()(Tensor([1.0])).item() == 1
    assert seen == []


def test_a_removed_hook_is_silent():
    layer, seen = nn.Linear(3, 2).double(), []
    hook = layer.register_full_backward_hook(lambda *call: seen.append(call))
    y = layer(leaf(4, 3)).sum()
    hook.remove()
    y.backward()
    layer(leaf(4, 3)).sum().backward()
    assert seen == []


def test_hooks_look_on():
    layer = nn.Linear(3, 2).double()
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: grad_input)
    with pytest.raises(TypeError, match=r"must return None; to change a gradient use Tensor.register_hook"):
        layer(leaf(4, 3)).sum().backward()


def test_an_output_that_is_no_tensor():
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    module = Pair()
    watch(module)
    with pytest.raises(TypeError, match="Pair: a module with backward hooks must return a Tensor, got tuple"):
        module(leaf(3))


def test_a_gradient_that_goes_by_a_side_door():
    """The module keeps an inner tensor, and only from there a gradient comes: none arrives at the output."""

    class Leaky(nn.Module):
        def forward(self, x):
            self.inner = x * 2
            return self.inner * 3

    module, x = Leaky(), leaf(3)
    seen = watch(module)
    module(x)
    module.inner.sum().backward()
    [(_, (gx,), grad_output)] = seen
    assert gx.tolist() == [2, 2, 2] and grad_output == (None,)


def test_no_reference_cycles(no_gc):
    layer = nn.Linear(3, 2).double()
    watch(layer).clear()
    layer.backward_hooks.clear()
    layer.register_full_backward_hook(lambda *call: None)
    x = leaf(4, 3)
    y = layer(x)
    dead = [weakref.ref(y.node), weakref.ref(y.op), weakref.ref(x.node)]
    del x, y
    assert [ref() for ref in dead] == [None] * 3


def test_as_in_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    ours, x = nn.Linear(3, 3).double(), leaf(4, 3)
    theirs = torch.nn.Linear(3, 3, dtype=torch.float64)
    theirs.load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})
    seen, wanted = watch(ours), []
    theirs.register_full_backward_hook(lambda module, *gradients: wanted.append(gradients))
    xt = torch.tensor(x.data, requires_grad=True)
    (ours(x) * ours(x + 1) + x).sum().backward()
    (theirs(xt) * theirs(xt + 1) + xt).sum().backward()
    assert len(seen) == len(wanted) == 2
    for (_, *mine), its in zip(sorted(seen, key=size), sorted(wanted, key=lambda call: size((0, *call))), strict=True):
        for a, b in zip(mine, its, strict=True):
            np.testing.assert_allclose(a[0], b[0].numpy(), rtol=1e-12)


def size(call):
    """To pair the calls: which of two independent ones is swept first is anybody's choice."""
    return float(abs(call[2][0]).sum())
