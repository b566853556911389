"""tinyres/models/alexnet.py: torchvision's names and figures, torch's arithmetic, gradients."""

from collections import OrderedDict

import numpy as np
import pytest
from networks import assert_same_scores, check_gradients, dropouts, images, losses, shapes

from tinyres import Tensor, models
from tinyres.look.summary import count_parameters, layers, summary
from tinyres.models.alexnet import AlexNet

WIDTHS = (64, 192, 384, 256, 256)
SMALL = (4, 6, 8, 7, 5)


def test_parameters_and_multiply_adds(undrawn):
    model = models.alexnet()
    rows = {row.name: row for row in layers(model, (3, 224, 224))}
    assert count_parameters(model) == 61_100_840
    assert sum(row.multiply_adds for row in rows.values()) == 714_188_480
    pools = [rows[name].output for name in ("features.2", "features.5", "features.12")]
    assert pools == [(64, 27, 27), (192, 13, 13), (256, 6, 6)]
    assert "the paper says  60 M parameters" in summary(model, (3, 224, 224), "alexnet")


def test_names_are_torchvisions(undrawn):
    numbered = [*(f"features.{k}" for k in (0, 3, 6, 8, 10)), *(f"classifier.{k}" for k in (1, 4, 6))]
    names = [f"{name}.{part}" for name in numbered for part in ("weight", "bias")]
    assert [path for path, _ in models.alexnet().named_parameters()] == names


def torch_alexnet(widths, hidden, num_classes):
    """As torchvision builds it."""
    from torch import nn

    features, channels = [], 3
    for width, size, stride, padding, pooled in zip(
        widths, (11, 5, 3, 3, 3), (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), (True, True, False, False, True), strict=True
    ):
        features += [nn.Conv2d(channels, width, size, stride, padding), nn.ReLU()]
        features += [nn.MaxPool2d(kernel_size=3, stride=2)] if pooled else []
        channels = width
    classifier = [nn.Dropout(), nn.Linear(channels * 36, hidden), nn.ReLU()]
    classifier += [nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)]
    middle = {"avgpool": nn.AdaptiveAvgPool2d((6, 6)), "flatten": nn.Flatten()}
    return nn.Sequential(
        OrderedDict(features=nn.Sequential(*features), **middle, classifier=nn.Sequential(*classifier))
    )


def test_shapes_as_torch(undrawn):
    torch = pytest.importorskip("torch", reason="torch is not installed: names and counts are tested without it")
    with torch.device("meta"):
        theirs = torch_alexnet(WIDTHS, 4096, 1000)
    assert shapes(models.alexnet()) == shapes(theirs)


@pytest.mark.parametrize("size", [(63, 63), (224, 224), (100, 131)], ids=str)
def test_scores_as_torch(size):
    pytest.importorskip("torch", reason="torch is not installed")
    assert_same_scores(AlexNet(SMALL, 12, 5), torch_alexnet(SMALL, 12, 5), images(2, 3, *size))


@pytest.mark.slow  # 61 million weights are drawn, and copied
def test_scores_as_torch_in_full():
    pytest.importorskip("torch", reason="torch is not installed")
    assert_same_scores(models.alexnet(), torch_alexnet(WIDTHS, 4096, 1000), images(1, 3, 224, 224))


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_gradients(training):
    check_gradients(AlexNet(SMALL, 8, 4).train(training), images(2, 3, 63, 70))


def test_it_learns():
    """Colours, since the classes of noise are told apart late by weights that begin so small."""
    red_green_blue = images(3, 3, 64, 64) + 2 * np.eye(3, dtype=np.float32)[:, :, None, None]
    seen = losses(AlexNet((16, 16, 16, 16, 16), 32, 3).eval(), red_green_blue, steps=120, lr=0.01)
    assert min(seen) < 0.5 * np.log(3)  # less than half of what guessing costs


def test_initialisation_is_torchs_own():
    """Evenly from ±1/√fan_in."""
    model = AlexNet((16, 16, 16, 16, 16), 64, 10)
    for module in [*model.features, *model.classifier]:
        if hasattr(module, "weight"):
            bound = 1 / np.sqrt(np.prod(module.weight.shape[1:]))
            for values in (module.weight.data, module.bias.data):
                assert 0.5 * bound < np.abs(values).max() <= bound * (1 + 1e-6)


def test_dropout():
    assert dropouts(AlexNet(SMALL, 12, 5)) == {"classifier.0": 0.5, "classifier.3": 0.5}


def test_num_classes(undrawn):
    assert models.alexnet(num_classes=7)(Tensor(images(1, 3, 63, 63))).shape == (1, 7)
