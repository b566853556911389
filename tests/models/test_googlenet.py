"""tinyres/models/googlenet.py: the paper's table, torchvision's names, torch's arithmetic, gradients."""

from collections import OrderedDict

import numpy as np
import pytest
from networks import assert_same_scores, check_gradients, dropouts, images, losses, shapes

from tinyres import Tensor, models
from tinyres.look.summary import count_parameters, layers, summary
from tinyres.models.googlenet import GoogLeNet, Inception

# Table 1 of the paper: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool proj; and what comes out, 224×224 images coming in.
TABLE = {
    "3a": ((64, 96, 128, 16, 32, 32), (256, 28, 28)),
    "3b": ((128, 128, 192, 32, 96, 64), (480, 28, 28)),
    "4a": ((192, 96, 208, 16, 48, 64), (512, 14, 14)),
    "4b": ((160, 112, 224, 24, 64, 64), (512, 14, 14)),
    "4c": ((128, 128, 256, 24, 64, 64), (512, 14, 14)),
    "4d": ((112, 144, 288, 32, 64, 64), (528, 14, 14)),
    "4e": ((256, 160, 320, 32, 128, 128), (832, 14, 14)),
    "5a": ((256, 160, 320, 32, 128, 128), (832, 7, 7)),
    "5b": ((384, 192, 384, 48, 128, 128), (1024, 7, 7)),
}


def test_parameters_and_multiply_adds(undrawn):
    model = models.googlenet()
    assert count_parameters(model) == 6_624_904
    assert sum(row.multiply_adds for row in layers(model, (3, 224, 224))) == 1_498_376_192
    assert "the paper says  1.5 G multiply-adds" in summary(model, (3, 224, 224), "googlenet")


def test_every_stage_has_the_papers_size(undrawn):
    model, seen = models.googlenet().eval(), {}
    for name, module in model.named_children():
        module.register_forward_hook(lambda module, x, y, name=name: seen.update({name: y.shape[1:]}))
    model(Tensor(images(1, 3, 224, 224)))
    assert {name: seen[f"inception{name}"] for name in TABLE} == {name: shape for name, (_, shape) in TABLE.items()}
    before = [seen[name] for name in ("conv1", "maxpool1", "conv3", "maxpool2")]
    assert before == [(64, 112, 112), (64, 56, 56), (192, 56, 56), (192, 28, 28)]


def test_names_are_torchvisions(undrawn):
    convolutions = ["conv1", "conv2", "conv3"]
    for stage in TABLE:
        branches = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")
        convolutions += [f"inception{stage}.{branch}" for branch in branches]
    statistics = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    parts = ["conv.weight", *(f"bn.{name}" for name in statistics)]
    names = [f"{convolution}.{part}" for convolution in convolutions for part in parts]
    assert list(models.googlenet().state_dict()) == [*names, "fc.weight", "fc.bias"]


def torch_googlenet(num_classes):
    """As torchvision builds it."""
    import torch
    from torch import nn

    def convolution(channels, width, size, stride=1, padding=0):
        conv = nn.Conv2d(channels, width, size, stride, padding, bias=False)
        return nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(width, eps=0.001), relu=nn.ReLU()))

    class SideBySide(nn.Module):
        def forward(self, x):
            return torch.cat([branch(x) for branch in self.children()], dim=1)

    def inception(channels, one, reduce3, three, reduce5, five, pool):
        module = SideBySide()
        module.branch1 = convolution(channels, one, 1)
        module.branch2 = nn.Sequential(convolution(channels, reduce3, 1), convolution(reduce3, three, 3, padding=1))
        module.branch3 = nn.Sequential(convolution(channels, reduce5, 1), convolution(reduce5, five, 3, padding=1))
        module.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), convolution(channels, pool, 1))
        return module

    layers = OrderedDict(conv1=convolution(3, 64, 7, stride=2, padding=3), maxpool1=nn.MaxPool2d(3, 2, ceil_mode=True))
    layers.update(conv2=convolution(64, 64, 1), conv3=convolution(64, 192, 3, padding=1))
    layers.update(maxpool2=nn.MaxPool2d(3, 2, ceil_mode=True))
    channels = 192
    for name, (widths, out) in TABLE.items():
        if name in ("4a", "5a"):
            layers[f"before {name}"] = nn.MaxPool2d(3 if name == "4a" else 2, 2, ceil_mode=True)
        layers[f"inception{name}"] = inception(channels, *widths)
        channels = out[0]
    layers.update(avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), dropout=nn.Dropout(0.2))
    return nn.Sequential(OrderedDict(**layers, fc=nn.Linear(1024, num_classes)))


def test_shapes_as_torch(undrawn):
    torch = pytest.importorskip("torch", reason="torch is not installed: names and counts are tested without it")
    with torch.device("meta"):
        theirs = torch_googlenet(1000)
    assert shapes(models.googlenet()) == shapes(theirs)


@pytest.mark.parametrize("size", [(64, 64), (75, 90)], ids=str)  # 75: windows hang over the edge by one and by two
def test_scores_as_torch(size):
    pytest.importorskip("torch", reason="torch is not installed")
    assert_same_scores(models.googlenet(10), torch_googlenet(10), images(3, 3, *size))


@pytest.mark.slow
def test_scores_as_torch_in_full():
    pytest.importorskip("torch", reason="torch is not installed")
    assert_same_scores(models.googlenet(), torch_googlenet(1000), images(2, 3, 224, 224))


class TestAuxiliaryClassifiers:
    """torchvision's state may hold them; here they have no place."""

    def state(self):
        own = models.googlenet().state_dict()
        return {**own, "aux1.conv.conv.weight": np.zeros((128, 512, 1, 1)), "aux2.fc2.bias": np.zeros(1000)}

    def test_their_names_are_in_the_error(self, undrawn):
        wanted = "GoogLeNet: this state does not fit: aux1.conv.conv.weight is unknown here, aux2.fc2.bias is unknown"
        with pytest.raises(ValueError, match=wanted):
            models.googlenet().load_state_dict(self.state())

    def test_not_strict_leaves_them_out(self, undrawn):
        state = {name: value + 1 for name, value in self.state().items()}
        model = models.googlenet()
        model.load_state_dict(state, strict=False)
        assert all(np.array_equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_gradients_of_inception(training):
    check_gradients(Inception(5, 2, 3, 4, 2, 3, 2).train(training), images(3, 5, 6, 5))


def test_gradients_of_the_whole():
    """In evaluation: the batch's own statistics, 57 times over, leave no step that is small enough for every kink."""
    check_gradients(GoogLeNet(4).eval(), images(2, 3, 64, 64))


def test_inception_puts_its_branches_side_by_side():
    block = Inception(5, 2, 3, 4, 2, 3, 1).eval()
    x = Tensor(images(2, 5, 6, 7))
    parts = np.split(block(x).data, [2, 6, 9], axis=1)
    for part, branch in zip(parts, (block.branch1, block.branch2, block.branch3, block.branch4), strict=True):
        assert np.array_equal(part, branch(x).data)


def test_it_learns():
    seen = losses(models.googlenet(4), images(4, 3, 32, 32), steps=6, lr=0.01)
    assert seen[-1] < 0.5 * seen[0]


def test_initialisation():
    for name, parameter in models.googlenet().named_parameters():
        if parameter.ndim > 1:
            assert abs(parameter.data.std() / 0.01 - 1) < 4 / np.sqrt(2 * parameter.data.size), name


def test_dropout(undrawn):
    assert dropouts(models.googlenet()) == {"dropout": 0.2}


def test_num_classes(undrawn):
    assert models.googlenet(num_classes=7)(Tensor(images(2, 3, 64, 64))).shape == (2, 7)
