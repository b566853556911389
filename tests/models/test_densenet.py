"""tinyres/models/densenet.py: the paper's figures, torchvision's names, torch's arithmetic, gradients and training."""

from collections import OrderedDict

import numpy as np
import pytest
from networks import assert_same_scores, check_gradients, images, losses, state_shapes

from tinyres import Tensor, models
from tinyres.look.summary import count_parameters, layers
from tinyres.models.densenet import DenseBlock, DenseLayer, DenseNet, Transition, densenet_bc
from tinyres.nn import BatchNorm2d, Conv2d, MaxPool2d, ReLU

BLOCKS_121 = (6, 12, 24, 16)


def small_densenet():
    """As densenet121, with 8 channels in the stem and two blocks."""
    conv = Conv2d(3, 8, 7, stride=2, padding=3, bias=False)
    stem = {"conv0": conv, "norm0": BatchNorm2d(8), "relu0": ReLU(), "pool0": MaxPool2d(3, stride=2, padding=1)}
    return DenseNet(stem, (2, 1), growth_rate=4, num_classes=10)


class TestSize:
    @pytest.mark.parametrize(
        ("name", "parameters", "multiply_adds"),
        [("densenet121", 7_978_856, 2_834_161_664), ("densenet_bc100", 769_162, 287_929_692)],
    )
    def test_parameters_and_multiply_adds(self, name, parameters, multiply_adds, undrawn):
        model = models.build(name)
        assert count_parameters(model) == parameters
        assert sum(row.multiply_adds for row in layers(model, models.input_shape(name))) == multiply_adds

    @pytest.mark.parametrize(("name", "depth"), [("densenet121", 121), ("densenet_bc100", 100)])
    def test_depth_counts_the_layers_with_weights(self, name, depth, undrawn):
        assert sum(parameter.ndim > 1 for parameter in models.build(name).parameters()) == depth

    @pytest.mark.parametrize("depth", [4, 20, 101, 0])
    def test_a_depth_that_does_not_exist(self, depth):
        with pytest.raises(ValueError, match=rf"a CIFAR DenseNet-BC has 6n \+ 4 layers .*, not {depth}"):
            densenet_bc(depth, 12, 10)


def norm(name, channels):
    statistics = {"weight": (channels,), "bias": (channels,), "running_mean": (channels,), "running_var": (channels,)}
    return {f"{name}.{part}": shape for part, shape in {**statistics, "num_batches_tracked": ()}.items()}


def torchvision_state(stem, counts, k, num_classes):
    """{name: shape} of torchvision's DenseNet, in its order."""
    state, channels = dict(stem), 2 * k
    for b, count in enumerate(counts, start=1):
        for l in range(1, count + 1):
            layer = f"features.denseblock{b}.denselayer{l}"
            state |= {**norm(f"{layer}.norm1", channels), f"{layer}.conv1.weight": (4 * k, channels, 1, 1)}
            state |= {**norm(f"{layer}.norm2", 4 * k), f"{layer}.conv2.weight": (k, 4 * k, 3, 3)}
            channels += k
        if b < len(counts):
            transition, half = f"features.transition{b}", channels // 2
            state |= {**norm(f"{transition}.norm", channels), f"{transition}.conv.weight": (half, channels, 1, 1)}
            channels = half
    state |= norm("features.norm5", channels)
    return {**state, "classifier.weight": (num_classes, channels), "classifier.bias": (num_classes,)}


def test_names_and_shapes_are_torchvisions(undrawn):
    stem = {"features.conv0.weight": (64, 3, 7, 7), **norm("features.norm0", 64)}
    expected = torchvision_state(stem, BLOCKS_121, 32, 1000)
    assert state_shapes(models.densenet121()) == list(expected.items())
    assert len(expected) == 727  # as torchvision's densenet121().state_dict() has


def torch_densenet(stem, counts, k, num_classes):
    """The paper's network in torch's own modules."""
    import torch
    from torch import nn

    def row(**modules):
        return nn.Sequential(OrderedDict(modules))

    class Dense(nn.Module):
        def __init__(self, count, channels):
            super().__init__()
            for l in range(count):
                layer = row(
                    norm1=nn.BatchNorm2d(channels + l * k),
                    relu1=nn.ReLU(),
                    conv1=nn.Conv2d(channels + l * k, 4 * k, 1, bias=False),
                    norm2=nn.BatchNorm2d(4 * k),
                    relu2=nn.ReLU(),
                    conv2=nn.Conv2d(4 * k, k, 3, padding=1, bias=False),
                )
                self.add_module(f"denselayer{l + 1}", layer)

        def forward(self, x):
            maps = [x]
            for layer in self.children():
                maps.append(layer(torch.cat(maps, 1)))
            return torch.cat(maps, 1)

    features, channels = OrderedDict(stem), 2 * k
    for b, count in enumerate(counts, start=1):
        features[f"denseblock{b}"] = Dense(count, channels)
        channels += count * k
        if b < len(counts):
            conv = nn.Conv2d(channels, channels // 2, 1, bias=False)
            transition = row(norm=nn.BatchNorm2d(channels), relu=nn.ReLU(), conv=conv, pool=nn.AvgPool2d(2, 2))
            features[f"transition{b}"], channels = transition, channels // 2
    features["norm5"] = nn.BatchNorm2d(channels)
    rest = {"relu": nn.ReLU(), "pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    return row(features=nn.Sequential(features), **rest, classifier=nn.Linear(channels, num_classes))


def torch_stem(width):
    from torch import nn

    conv, pool = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False), nn.MaxPool2d(3, stride=2, padding=1)
    return {"conv0": conv, "norm0": nn.BatchNorm2d(width), "relu0": nn.ReLU(), "pool0": pool}


class TestOutputAsTorch:
    def test_for_small_images(self):
        torch = pytest.importorskip("torch", reason="torch is not installed; the parts are checked without it")
        stem = {"conv0": torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)}
        theirs = torch_densenet(stem, (3, 3, 3), 4, 10).double()
        x = images(2, 3, 17, 14).astype(np.float64)
        assert_same_scores(densenet_bc(22, 4, 10).double(), theirs, x, tolerance=1e-10)

    def test_for_large_images(self):
        pytest.importorskip("torch", reason="torch is not installed; the parts are checked without it")
        theirs = torch_densenet(torch_stem(8), (2, 1), 4, 10).double()
        assert_same_scores(small_densenet().double(), theirs, images(2, 3, 33, 30).astype(np.float64), tolerance=1e-10)

    def test_densenet121(self):
        pytest.importorskip("torch", reason="torch is not installed; the parts are checked without it")
        theirs = torch_densenet(torch_stem(64), BLOCKS_121, 32, 1000)
        assert_same_scores(models.densenet121(), theirs, images(2, 3, 64, 64))


class TestParts:
    def test_a_block_keeps_what_it_reads_and_appends(self):
        block = DenseBlock(3, 5, growth_rate=2).eval()
        x = Tensor(images(2, 5, 4, 3))
        y = block(x)
        assert y.shape == (2, 5 + 3 * 2, 4, 3)
        assert np.array_equal(y.data[:, :5], x.data)
        last = block.denselayer3(Tensor(y.data[:, :9]))  # it read all maps before its own two
        np.testing.assert_allclose(y.data[:, 9:], last.data, rtol=1e-5, atol=1e-6)

    def test_a_transition_halves_channels_and_map(self):
        assert Transition(7)(Tensor(images(2, 7, 6, 4))).shape == (2, 3, 3, 2)

    @pytest.mark.parametrize(
        "part",
        [DenseLayer(5, growth_rate=2), DenseBlock(3, 4, growth_rate=2), Transition(4)],
        ids=lambda part: type(part).__name__,
    )
    def test_gradients(self, part):
        check_gradients(part, images(3, part_input(part), 4, 6))


def part_input(part):
    return next(p for p in part.parameters()).numel()  # a part begins with batch norm: one weight a channel


@pytest.mark.parametrize("make", [small_densenet, lambda: densenet_bc(10, 4, 10)], ids=["large images", "small images"])
def test_gradients_of_whole_networks(make):
    check_gradients(make(), images(3, 3, 8, 8))


def test_it_learns():
    seen = losses(densenet_bc(22, 6, 10), images(6, 3, 8, 8), steps=8, lr=0.05)
    assert seen[-1] < 0.5 * seen[0]


def test_weights_start_as_in_the_resnets():
    for name, parameter in densenet_bc(40, 12, 10).named_parameters():
        values = parameter.data
        if values.ndim > 1:
            std = np.sqrt(2 / np.prod(values.shape[1:]))
            assert abs(values.std() / std - 1) < 4 / np.sqrt(2 * values.size), name
        else:
            assert set(values) == {0 if name.endswith("bias") else 1}, name


def test_num_classes():
    assert models.densenet_bc100(num_classes=7)(Tensor(images(2, 3, 8, 8))).shape == (2, 7)
