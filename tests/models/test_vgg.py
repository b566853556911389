"""tinyres/models/vgg.py: the paper's figures, torchvision's names, torch's arithmetic, gradients and training."""

from collections import OrderedDict

import numpy as np
import pytest
from networks import assert_same_scores, check_gradients, dropouts, images, losses, shapes

from tinyres import Tensor, models
from tinyres.look.summary import count_parameters, layers, summary
from tinyres.models.vgg import VGG, CifarVGG, D, E

SMALL = ((4, 6), (8,), (8, 10))


@pytest.mark.parametrize(
    ("name", "parameters", "convolutions", "linear"),
    [
        ("vgg16", 138_357_544, 15_346_630_656, 123_633_664),
        ("vgg19", 143_667_240, 19_508_428_800, 123_633_664),
        ("vgg16_cifar", 14_724_042, 313_196_544, 5_120),
    ],
)
def test_parameters_and_multiply_adds(name, parameters, convolutions, linear, undrawn):
    model = models.build(name)
    rows = layers(model, models.input_shape(name))
    assert count_parameters(model) == sum(row.parameters for row in rows) == parameters
    for kind, count in (("Conv2d", convolutions), ("Linear", linear)):
        assert sum(row.multiply_adds for row in rows if row.kind == kind) == count


def test_the_resnet_papers_figures_stand_beside_ours(undrawn):
    """15.3 G are the convolutions' alone; 19.6 G are all."""
    for name, ours, theirs in (("vgg16", "15,470,264,320", "15.3 G"), ("vgg19", "19,632,062,464", "19.6 G")):
        *_, total, paper = summary(models.build(name), (3, 224, 224), name).splitlines()
        assert total == f"multiply-adds   {ours} for one image of 3×224×224"
        assert paper.startswith(f"the paper says  {theirs} multiply-adds")


@pytest.mark.parametrize(
    ("name", "convolutions"),
    [
        ("vgg16", (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)),
        ("vgg19", (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)),
    ],
)
def test_names_are_torchvisions(name, convolutions, undrawn):
    numbered = [*(f"features.{k}" for k in convolutions), *(f"classifier.{k}" for k in (0, 3, 6))]
    names = [f"{layer}.{part}" for layer in numbered for part in ("weight", "bias")]
    assert [path for path, _ in models.build(name).named_parameters()] == names


def torch_vgg(stages, hidden, num_classes):
    """As torchvision builds it."""
    from torch import nn

    features, channels = [], 3
    for widths in stages:
        for width in widths:
            features += [nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU()]
            channels = width
        features += [nn.MaxPool2d(kernel_size=2, stride=2)]
    classifier = [nn.Linear(channels * 49, hidden), nn.ReLU(), nn.Dropout()]
    classifier += [nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, num_classes)]
    middle = {"avgpool": nn.AdaptiveAvgPool2d((7, 7)), "flatten": nn.Flatten()}
    return nn.Sequential(
        OrderedDict(features=nn.Sequential(*features), **middle, classifier=nn.Sequential(*classifier))
    )


def torch_cifar_vgg(stages, num_classes):
    from torch import nn

    features, channels = [], 3
    for widths in stages:
        for width in widths:
            conv, bn = nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
            features.append(nn.Sequential(OrderedDict(conv=conv, bn=bn, relu=nn.ReLU())))
            channels = width
        features.append(nn.MaxPool2d(2))
    pool = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*features), pool=pool, flat=nn.Flatten(), classifier=nn.Linear(channels, num_classes)
        )
    )


class TestAsTorch:
    def test_shapes(self, undrawn):
        torch = pytest.importorskip("torch", reason="torch is not installed: names and counts are tested without it")
        with torch.device("meta"):
            wanted = {"vgg16": torch_vgg(D, 4096, 1000), "vgg19": torch_vgg(E, 4096, 1000)}
            wanted["vgg16_cifar"] = torch_cifar_vgg(D, 10)
        for name, theirs in wanted.items():
            assert shapes(models.build(name)) == shapes(theirs)

    @pytest.mark.parametrize("size", [(56, 56), (40, 70)], ids=str)
    def test_scores(self, size):
        pytest.importorskip("torch", reason="torch is not installed")
        assert_same_scores(VGG(SMALL, 12, 5), torch_vgg(SMALL, 12, 5), images(3, 3, *size))

    @pytest.mark.parametrize("size", [(8, 8), (24, 17)], ids=str)
    def test_scores_for_cifar(self, size):
        pytest.importorskip("torch", reason="torch is not installed")
        assert_same_scores(CifarVGG(SMALL, 5), torch_cifar_vgg(SMALL, 5), images(3, 3, *size))

    @pytest.mark.slow  # 138 million weights are drawn, and copied
    def test_scores_of_vgg16(self):
        pytest.importorskip("torch", reason="torch is not installed")
        assert_same_scores(models.vgg16(), torch_vgg(D, 4096, 1000), images(1, 3, 224, 224))


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(("net", "sizes"), [(VGG, (8, 4)), (CifarVGG, (4,))])
def test_gradients(net, sizes, training):
    check_gradients(net(((3, 4), (5,)), *sizes).train(training), images(3, 3, 10, 8))


def test_the_cifar_net_learns():
    model = models.vgg16_cifar()
    seen = losses(model, images(4, 3, 32, 32), steps=4, lr=0.01)
    assert seen[-1] < 0.5 * seen[0]


@pytest.mark.parametrize(("net", "sizes"), [(VGG, (128, 100)), (CifarVGG, (100,))])
def test_initialisation(net, sizes):
    for name, parameter in net(((32, 48), (64,)), *sizes).named_parameters():
        values = parameter.data
        if values.ndim > 1:
            std = np.sqrt(2 / (len(values) * 9)) if values.ndim == 4 else 0.01
            assert abs(values.std() / std - 1) < 4 / np.sqrt(2 * values.size), name
        else:
            assert set(values) == {0 if name.endswith("bias") else 1}, name


def test_dropout():
    assert dropouts(VGG(SMALL, 12, 5)) == {"classifier.2": 0.5, "classifier.5": 0.5}


def test_num_classes(undrawn):
    assert models.vgg16_cifar(num_classes=7)(Tensor(images(2, 3, 32, 32))).shape == (2, 7)
    assert models.vgg16(num_classes=7).classifier[-1].weight.shape == (7, 4096)
