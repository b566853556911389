"""tinyres/models/nin.py: 1×1 convolutions as perceptrons, global average pooling, torch's arithmetic, gradients."""

from collections import OrderedDict

import numpy as np
import pytest
from networks import assert_same_scores, check_gradients, dropouts, images, losses, shapes

from tinyres import Tensor, models
from tinyres.look.summary import count_parameters, layers
from tinyres.models.nin import NIN, mlpconv

WIDTHS = ((192, 160, 96), (192, 192, 192), (192, 192))
SMALL = ((8, 6, 4), (8, 7, 6), (8, 6))


def test_parameters_and_multiply_adds():
    model = models.nin()
    rows = layers(model, (3, 32, 32))
    assert count_parameters(model) == 966_986
    assert sum(row.multiply_adds for row in rows) == 222_486_528
    assert [row.output for row in rows if row.name in ("pool1", "pool2")] == [(96, 16, 16), (192, 8, 8)]
    assert not any(row.kind == "Linear" for row in rows)


def test_an_mlpconv_layer_is_a_perceptron_at_each_position():
    layer = mlpconv(3, 1, (5, 4, 2)).double()
    x = np.random.RandomState(0).standard_normal((2, 3, 4, 6))
    pixels = x.transpose(0, 2, 3, 1).reshape(-1, 3)
    for convolution in (layer[0], layer[2], layer[4]):
        pixels = np.maximum(pixels @ convolution.weight.data[:, :, 0, 0].T + convolution.bias.data, 0)
    wanted = pixels.reshape(2, 4, 6, 2).transpose(0, 3, 1, 2)
    assert (wanted > 0).any()
    np.testing.assert_allclose(layer(Tensor(x)).data, wanted, rtol=1e-12, atol=1e-12)


def test_a_score_is_the_average_of_the_classes_map():
    model, maps = NIN(SMALL, 5).eval(), []
    model.maps.register_forward_hook(lambda module, inputs, output: maps.append(output.data))
    scores = model(Tensor(images(2, 3, 32, 32))).data
    assert maps[0].shape == (2, 5, 8, 8)
    assert maps[0].min() < 0  # no ReLU comes between
    np.testing.assert_allclose(scores, maps[0].mean((2, 3)), rtol=1e-5)


def torch_nin(widths, num_classes):
    from torch import nn

    def perceptron(channels, size, widths):
        modules = []
        for k, width in enumerate(widths):
            modules += [nn.Conv2d(channels, width, 1 if k else size, padding=0 if k else size // 2), nn.ReLU()]
            channels = width
        return nn.Sequential(*modules)

    first, second, third = widths
    return nn.Sequential(
        OrderedDict(
            mlpconv1=perceptron(3, 5, first),
            pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
            mlpconv2=perceptron(first[-1], 5, second),
            pool2=nn.MaxPool2d(3, 2, ceil_mode=True),
            mlpconv3=perceptron(second[-1], 3, third),
            maps=nn.Conv2d(third[-1], num_classes, 1),
            average=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
        )
    )


def test_shapes_as_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed: counts are tested without it")
    with torch.device("meta"):
        theirs = torch_nin(WIDTHS, 10)
    assert shapes(models.nin()) == shapes(theirs)


@pytest.mark.parametrize(("widths", "size"), [(WIDTHS, (32, 32)), (SMALL, (17, 30))], ids=["in full", "small"])
def test_scores_as_torch(widths, size):
    pytest.importorskip("torch", reason="torch is not installed")
    assert_same_scores(NIN(widths, 10), torch_nin(widths, 10), images(2, 3, *size))


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_gradients(training):
    check_gradients(NIN(SMALL, 4).train(training), images(2, 3, 12, 11))


def test_it_learns():
    """Colours, since averages over maps cannot tell one picture of noise from another."""
    red_green_blue = images(3, 3, 32, 32) + 2 * np.eye(3, dtype=np.float32)[:, :, None, None]
    seen = losses(NIN(((16, 16, 16), (16, 16, 16), (16, 16)), 3).eval(), red_green_blue, steps=40, lr=0.005)
    assert seen[-1] < 0.3 * np.log(3)  # less than a third of what guessing costs


def test_initialisation():
    for name, parameter in models.nin().named_parameters():
        values = parameter.data
        if values.ndim > 1:
            std = np.sqrt(2 / np.prod(values.shape[1:]))
            assert abs(values.std() / std - 1) < 4 / np.sqrt(2 * values.size), name
        else:
            assert not values.any(), name


def test_dropout():
    assert dropouts(models.nin()) == {"dropout1": 0.5, "dropout2": 0.5}


def test_num_classes():
    assert models.nin(num_classes=7)(Tensor(images(2, 3, 32, 32))).shape == (2, 7)
