"""tinyres/nn/module.py: how a network finds its parts, and how its state goes out and in."""

import copy
import re
from collections import OrderedDict

import numpy as np
import pytest

import tinyres
from tinyres import Tensor, nn


def make_net(nn):
    """One network, as either library builds it."""

    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.bn = nn.BatchNorm2d(channels)

        def forward(self, x):
            return nn.functional.relu(self.bn(self.conv(x)) + x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)  # first here, last in forward: the order of a state is that of __init__
            self.stem = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3, bias=False), bn=nn.BatchNorm2d(4)))
            self.blocks = nn.ModuleList([Block(4) for _ in range(2)])

        def forward(self, x):
            x = self.stem(x)
            for block in self.blocks:
                x = block(x)
            return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))

    return Net()


BATCH_NORM = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
KEYS = [
    *["fc.weight", "fc.bias", "stem.conv.weight", *(f"stem.bn.{name}" for name in BATCH_NORM)],
    *["blocks.0.conv.weight", *(f"blocks.0.bn.{name}" for name in BATCH_NORM)],
    *["blocks.1.conv.weight", *(f"blocks.1.bn.{name}" for name in BATCH_NORM)],
]
BUFFERS = tuple(BATCH_NORM[2:])


@pytest.fixture
def net():
    return make_net(nn)


@pytest.fixture
def x():
    return Tensor(np.random.RandomState(0).standard_normal((2, 3, 6, 6)).astype(np.float32))


class TestFinding:
    def test_parameters(self, net):
        assert [name for name, _ in net.named_parameters()] == [key for key in KEYS if not key.endswith(BUFFERS)]
        assert all(isinstance(parameter, nn.Parameter) for parameter in net.parameters())

    def test_buffers(self, net):
        assert [name for name, _ in net.named_buffers()] == [key for key in KEYS if key.endswith(BUFFERS)]
        assert not any(buffer.requires_grad for buffer in net.buffers())

    def test_modules_and_children(self, net):
        names = ["", "fc", "stem", "stem.conv", "stem.bn", "blocks"]
        names += [f"blocks.{k}{below}" for k in (0, 1) for below in ("", ".conv", ".bn")]
        assert [name for name, _ in net.named_modules()] == names
        assert [name for name, _ in net.named_children()] == ["fc", "stem", "blocks"]
        assert list(net.children()) == [net.fc, net.stem, net.blocks]

    def test_as_torch(self, net):
        theirs = make_net(pytest.importorskip("torch", reason="torch is not installed: KEYS stands in for it").nn)
        for method in ("named_parameters", "named_buffers", "named_modules", "named_children"):
            assert [n for n, _ in getattr(net, method)()] == [n for n, _ in getattr(theirs, method)()]

    def test_shared_modules_and_parameters_count_once(self):
        layer = nn.Linear(3, 3)
        net = nn.Sequential(layer, layer)
        assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias"]
        assert [name for name, _ in net.named_modules()] == ["", "0"]
        assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]  # as torch: both paths load
        tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        tied[1].weight = tied[0].weight
        assert len(list(tied.parameters())) == 3

    def test_plain_tensors_and_none_are_no_state(self):
        net = nn.Module()
        net.scale, net.bias, net.count = Tensor([1.0]), None, 3
        assert list(net.state_dict()) == list(net.parameters()) == []

    def test_registering_by_name(self):
        net = nn.Module()
        net.register_parameter("w", nn.Parameter(np.ones(2, np.float32)))
        net.register_buffer("seen", Tensor([0.0]))
        net.register_buffer("nothing", None)
        net.add_module("layer", nn.Linear(1, 1))
        assert list(net.state_dict()) == ["w", "seen", "layer.weight", "layer.bias"]
        assert isinstance(net.seen, nn.Buffer) and net.nothing is None

    def test_a_replaced_layer_keeps_its_place(self, net):
        net.fc = nn.Linear(4, 7)
        assert list(net.state_dict()) == KEYS
        assert net.state_dict()["fc.weight"].shape == (7, 4)


class TestState:
    def test_keys(self, net):
        assert list(net.state_dict()) == KEYS

    def test_values_are_copies(self, net):
        net.state_dict()["fc.bias"][:] = 77
        assert 77 not in net.fc.bias.data

    def test_loading_makes_nets_equal(self, net, x):
        tinyres.manual_seed(1)
        other = make_net(nn)
        other(x)  # so that its running statistics are not the initial ones
        net.load_state_dict(other.state_dict())
        assert np.array_equal(net.eval()(x).data, other.eval()(x).data)

    def test_loading_writes_into_the_parameters_and_keeps_dtypes(self, net):
        weight, array = net.fc.weight, net.fc.weight.data
        state = {name: value.astype(np.float64) + 1 for name, value in net.state_dict().items()}
        net.load_state_dict(state)
        assert net.fc.weight is weight and net.fc.weight.data is array
        assert array.dtype == np.float32 and np.array_equal(array, state["fc.weight"].astype(np.float32))
        assert net.stem.bn.num_batches_tracked.data == 1
        assert net.stem.bn.num_batches_tracked.dtype == np.int64

    def test_from_and_to_torch(self, net, x):
        torch = pytest.importorskip("torch", reason="torch is not installed")
        theirs = make_net(torch.nn)
        theirs(torch.tensor(x.data))
        assert [(k, v.shape) for k, v in net.state_dict().items()] == [
            (k, tuple(v.shape)) for k, v in theirs.state_dict().items()
        ]
        net.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
        theirs.double().eval(), net.double().eval()
        wanted = theirs(torch.tensor(x.data, dtype=torch.float64)).detach()
        np.testing.assert_allclose(net(x.to("float64")).data, wanted, rtol=1e-10, atol=1e-10)
        theirs.load_state_dict({name: torch.tensor(value) for name, value in net.state_dict().items()})

    def test_missing_unknown_and_misshapen(self, net):
        state = net.state_dict()
        del state["fc.bias"]
        state["extra"] = np.ones(3)
        state["fc.weight"] = np.ones((3, 4))
        refuses(
            net,
            state,
            "Net: this state does not fit: fc.bias is missing, extra is unknown here, "
            "fc.weight is (3, 4), expected (2, 4)",
        )

    def test_not_strict_takes_what_there_is(self, net):
        net.load_state_dict({"fc.bias": np.array([5.0, 6.0]), "extra": np.ones(3)}, strict=False)
        assert net.fc.bias.data.tolist() == [5, 6]

    def test_not_strict_still_refuses_a_shape(self, net):
        refuses(net, {"fc.bias": np.ones(2), "fc.weight": np.ones((3, 4))}, "fc.weight is (3, 4)", strict=False)

    def test_a_broadcastable_shape_is_wrong_too(self, net):
        refuses(net, {"fc.bias": np.ones(1)}, "fc.bias is (1,), expected (2,)", strict=False)

    def test_many_problems_are_cut_short(self, net):
        refuses(net, {}, f"stem.bn.num_batches_tracked is missing and {len(KEYS) - 8} more")


def refuses(net, state, message, **settings):
    """It does not load, says why, and has changed nothing."""
    before = net.state_dict()
    with pytest.raises(ValueError, match=re.escape(message)):
        net.load_state_dict(state, **settings)
    assert all(np.array_equal(value, before[name]) for name, value in net.state_dict().items())


class TestSwitching:
    def test_train_and_eval_reach_every_module(self, net):
        assert all(module.training for module in net.modules())
        assert net.eval() is net
        assert not any(module.training for module in net.modules())
        net.blocks.train()
        assert [module.training for module in (net, net.stem, net.blocks[0].bn)] == [False, False, True]

    def test_zero_grad(self, net, x):
        net(x).sum().backward()
        assert all(parameter.grad is not None for parameter in net.parameters())
        net.zero_grad()
        assert all(parameter.grad is None for parameter in net.parameters())

    def test_freezing(self, net, x):
        assert net.stem.requires_grad_(False) is net.stem
        net(x).sum().backward()
        frozen = [name for name, parameter in net.named_parameters() if parameter.grad is None]
        assert frozen == ["stem.conv.weight", "stem.bn.weight", "stem.bn.bias"]
        net.stem.requires_grad_()
        net(x).sum().backward()
        assert net.stem.conv.weight.grad is not None

    def test_apply_goes_from_the_inside_out(self, net):
        seen = []
        assert net.apply(seen.append) is net
        assert seen[-1] is net
        assert seen.index(net.stem.conv) < seen.index(net.stem) < seen.index(net.blocks[0].conv)
        assert len(seen) == len(list(net.modules()))

    def test_dtype(self, net, x):
        net(x).sum().backward()
        parameters = list(net.parameters())
        assert net.double() is net
        assert all(a is b for a, b in zip(net.parameters(), parameters, strict=True))  # an optimiser still holds them
        assert {p.dtype for p in net.parameters()} == {p.grad.dtype for p in net.parameters()} == {np.dtype("float64")}
        assert net.stem.bn.running_mean.dtype == np.float64
        assert net.stem.bn.num_batches_tracked.dtype == np.int64
        assert net(x.to("float64")).dtype == np.float64
        assert net.float()(x).dtype == net.to("float32")(x).dtype == np.float32

    def test_device(self, net):
        assert net.to("cpu").fc.weight.device == "cpu"
        with pytest.raises(TypeError, match="expected a floating-point dtype, got int64"):
            net.to(dtype="int64")

    def test_a_deep_copy_is_independent(self, net, x):
        twin = copy.deepcopy(net)
        assert np.array_equal(twin(x).data, net(x).data)
        twin.fc.bias.data += 1
        assert not np.array_equal(twin.fc.bias.data, net.fc.bias.data)


class TestHooks:
    def test_sees_inputs_and_output(self):
        layer, seen, x = nn.Linear(2, 3), [], Tensor(np.ones((4, 2), np.float32))
        hook = layer.register_forward_hook(lambda *call: seen.append(call))
        y = layer(x)
        assert seen == [(layer, (x,), y)]
        hook.remove()
        layer(x)
        assert len(seen) == 1

    def test_replaces_the_output_for_the_next(self):
        layer = nn.Identity()
        layer.register_forward_hook(lambda module, inputs, output: output * 2)
        last = layer.register_forward_hook(lambda module, inputs, output: output + 1)
        assert layer(Tensor([3.0])).item() == 7
        last.remove()
        assert layer(Tensor([3.0])).item() == 6


class TestContainers:
    def test_sequential(self):
        layers = nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)
        net = nn.Sequential(*layers)
        x = Tensor(np.ones((4, 2), np.float32))
        assert np.array_equal(net(x).data, layers[2](layers[1](layers[0](x))).data)
        assert len(net) == 3 and list(net) == list(layers) and net[-1] is layers[2]
        with pytest.raises(IndexError):
            net[3]

    def test_sequential_with_names(self):
        net = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), second=nn.ReLU()))
        assert [name for name, _ in net.named_children()] == ["first", "second"]
        assert isinstance(net[1], nn.ReLU) and net.second is net[1]

    def test_an_empty_sequential_is_the_identity(self):
        x = Tensor([1.0])
        assert nn.Sequential()(x) is x

    def test_module_list(self):
        layers = nn.ModuleList(nn.Linear(1, 1) for _ in range(2))
        assert layers.append(nn.ReLU()) is layers
        assert (
            len(layers) == 3 and isinstance(layers[-1], nn.ReLU) and list(layers) == [layers[0], layers[1], layers[2]]
        )
        assert list(layers.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
        with pytest.raises(NotImplementedError, match="ModuleList has no forward"):
            layers(Tensor([1.0]))


def test_settings_are_passed_on_by_name():
    class Scale(nn.Module):
        def forward(self, x, factor=1.0):
            return x * factor

    assert Scale()(Tensor([2.0]), factor=3.0).item() == 6


def test_print():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Sequential(nn.MaxPool2d(2), nn.Dropout(0.1)),
        nn.Linear(8, 2),
    )
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False)\n"
        "  (1): BatchNorm2d(8, eps=1e-05, momentum=0.1)\n"
        "  (2): ReLU()\n"
        "  (3): Sequential(\n"
        "    (0): MaxPool2d(kernel_size=2, stride=None, padding=0)\n"
        "    (1): Dropout(p=0.1)\n"
        "  )\n"
        "  (4): Linear(8, 2)\n"
        ")"
    )
