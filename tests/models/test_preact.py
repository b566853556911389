"""tinyres/models/preact.py: the same layers in another order, and nothing in the way of x."""

import numpy as np
import pytest
from networks import assert_same_scores, check_gradients, images, losses

from tinyres import Tensor, models
from tinyres.look.summary import count_parameters, layers
from tinyres.models.preact import PreActBlock, PreActBottleneck, cifar_preactresnet
from tinyres.nn import Identity

NETWORKS = {  # parameters, multiply-adds
    "preactresnet20": (269_722, 40_551_040),
    "preactresnet32": (464_154, 68_862_592),
    "preactresnet44": (658_586, 97_174_144),
    "preactresnet56": (853_018, 125_485_696),
    "preactresnet110": (1_727_962, 252_887_680),
    "preactresnet164": (1_703_258, 244_500_992),
}
UNITS = [
    *[(PreActBlock, 4, 4, 1, shortcut) for shortcut in "ABC"],
    *[(PreActBlock, 4, 8, 2, shortcut) for shortcut in "ABC"],
    *[(PreActBottleneck, 8, 2, 1, shortcut) for shortcut in "ABC"],
    *[(PreActBottleneck, 4, 2, 2, shortcut) for shortcut in "ABC"],
]


def named(unit):
    return " ".join(map(str, (unit[0].__name__, *unit[1:])))


class TestSize:
    @pytest.mark.parametrize("name", NETWORKS)
    def test_parameters_multiply_adds_and_depth(self, name, undrawn):
        model = models.build(name)
        rows = layers(model, (3, 32, 32))
        assert (count_parameters(model), sum(row.multiply_adds for row in rows)) == NETWORKS[name]
        in_line = [row for row in rows if row.kind in ("Conv2d", "Linear") and not row.name.endswith("downsample")]
        assert len(in_line) == int(name.removeprefix("preactresnet"))

    @pytest.mark.parametrize("depth", [20, 110])
    def test_the_state_of_the_resnet_in_another_order(self, depth, undrawn):
        ours, theirs = (models.build(f"{kind}{depth}").state_dict().values() for kind in ("preactresnet", "resnet"))
        assert sorted(value.shape for value in ours) == sorted(value.shape for value in theirs)

    @pytest.mark.parametrize("name", ["preactresnet20", "preactresnet164"])
    def test_each_stage_halves_the_map(self, name, undrawn):
        model = models.build(name).eval()
        x, seen = model.stem(Tensor(images(1, 3, 32, 32))), []
        for stage in model.stages():
            x = stage(x)
            seen.append(x.shape[1:])
        wide = 4 if name == "preactresnet164" else 1
        assert seen == [(16 * wide, 32, 32), (32 * wide, 16, 16), (64 * wide, 8, 8)]

    @pytest.mark.parametrize("depth", [2, 21, 0])
    def test_a_depth_that_does_not_exist(self, depth):
        with pytest.raises(ValueError, match=rf"a pre-activation ResNet for CIFAR has 6n \+ 2 layers .*, not {depth}"):
            cifar_preactresnet(depth, 10, "A")


def torch_preact(state, x):
    """The same network as calls to torch, found by the names in its state: Fig. 4e, and the appendix for its ends."""
    import torch.nn.functional as T

    def active(name, x):
        if f"{name}.weight" not in state:
            return x
        parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return T.relu(T.batch_norm(x, *parts))

    def convolution(name, x, stride=1):
        weight = state[f"{name}.weight"]
        return T.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    x = active("bn1", convolution("conv1", x))
    for unit in dict.fromkeys(".".join(name.split(".")[:2]) for name in state if name.startswith("layer")):
        stride = 2 if unit in ("layer2.0", "layer3.0") else 1
        before = active(f"{unit}.bn1", x)
        out = convolution(f"{unit}.conv1", before, stride)
        for k in (2, 3) if f"{unit}.conv3.weight" in state else (2,):
            out = convolution(f"{unit}.conv{k}", active(f"{unit}.bn{k}", out))
        if f"{unit}.downsample.weight" in state:
            x = convolution(f"{unit}.downsample", before, stride)
        elif out.shape != x.shape:
            x = T.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, out.shape[1] - x.shape[1]))
        x = out + x
    return active("bn", x).mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


@pytest.mark.parametrize(
    "make",
    [
        *[pytest.param(lambda o=o: cifar_preactresnet(14, 10, o), id=f"two convolutions, {o}") for o in "ABC"],
        pytest.param(models.preactresnet164, id="bottlenecks"),
    ],
)
def test_output_as_torch(make):
    torch = pytest.importorskip("torch", reason="torch is not installed; the units are checked without it")

    class Twin(torch.nn.Module):
        def load_state_dict(self, state):
            self.state = state

        def forward(self, x):
            return torch_preact(self.state, x)

    assert_same_scores(make().double(), Twin(), images(2, 3, 17, 14).astype(np.float64), tolerance=1e-10)


class TestUnit:
    @pytest.mark.parametrize("unit", UNITS, ids=named)
    def test_gradients(self, unit):
        make, channels, *settings = unit
        check_gradients(make(channels, *settings), images(3, channels, 5, 4))

    @pytest.mark.parametrize(("make", "last"), [(PreActBlock, "conv2"), (PreActBottleneck, "conv3")])
    def test_with_nothing_learnt_it_passes_x_itself_and_the_gradient(self, make, last):
        """A block with ReLU behind the addition passes relu(x): test_blocks.py."""
        width = 8 if make is PreActBlock else 2
        unit = make(8, width, 1, "A")
        getattr(unit, last).weight.data[:] = 0
        x, gy = Tensor(images(2, 8, 5, 5), requires_grad=True), images(2, 8, 5, 5)[::-1]
        y = unit(x)
        y.backward(gy)
        assert x.data.min() < 0
        assert np.array_equal(y.data, x.data)
        assert np.array_equal(x.grad, gy)

    @pytest.mark.parametrize(("shortcut", "reads_x"), [("A", True), ("B", False), ("C", False)])
    def test_what_the_shortcut_reads(self, shortcut, reads_x):
        unit, seen = PreActBlock(4, 8, 2, shortcut), []
        for module in (unit.conv1, unit.downsample):
            module.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
        x = Tensor(images(2, 4, 6, 6))
        unit(x)
        active, shortcut_input = seen
        assert active.data.min() == 0
        assert shortcut_input is (x if reads_x else active)


def test_a_later_x_is_an_earlier_one_and_all_that_was_added():
    """Equation 4, over a whole stage."""
    stage, added = models.preactresnet32().double().layer1, []
    for unit in stage:
        unit.conv2.register_forward_hook(lambda module, inputs, output: added.append(output.data))
    x = Tensor(images(2, 16, 6, 6).astype(np.float64))
    assert len(stage) == 5
    np.testing.assert_allclose(stage(x).data, x.data + sum(added), rtol=1e-12, atol=1e-12)


def test_the_first_activation_comes_before_the_paths_part():
    model, seen = models.preactresnet20(), []
    first = model.layer1[0]
    assert isinstance(first.bn1, Identity)
    for module in (first.conv1, first.downsample):
        module.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].data))
    model(Tensor(images(2, 3, 8, 8)))
    branch, shortcut = seen
    assert branch.min() == 0 and np.array_equal(branch, shortcut)


@pytest.mark.parametrize("name", ["preactresnet20", "preactresnet164"])
def test_it_learns(name):
    seen = losses(models.build(name), images(6, 3, 8, 8), steps=5, lr=0.05)
    assert seen[-1] < 0.5 * seen[0]


def test_weights_start_as_in_the_resnets():
    for name, parameter in models.preactresnet32().named_parameters():
        values = parameter.data
        if values.ndim > 1:
            std = np.sqrt(2 / np.prod(values.shape[1:]))
            assert abs(values.std() / std - 1) < 4 / np.sqrt(2 * values.size), name
        else:
            assert set(values) == {0 if name.endswith("bias") else 1}, name
