"""tinyres/models/plain.py: the residual networks without the addition, and equal in everything else."""

import numpy as np
import pytest
from networks import images, losses

from tinyres import Tensor, models
from tinyres.look.summary import layers
from tinyres.models.plain import cifar_plain

DEPTHS = (20, 32, 44, 56, 110)
TWINS = [*[(f"plain{d}", f"resnet{d}") for d in DEPTHS], ("plain18", "resnet18"), ("plain34", "resnet34")]


@pytest.mark.parametrize(("plain", "residual"), TWINS)
def test_parameters_and_layers_are_those_of_shortcut_a(plain, residual):
    ours, theirs = models.build(plain), models.build(residual, shortcut="A")
    assert shapes(ours) == shapes(theirs)
    assert weighty_layers(ours, plain) == weighty_layers(theirs, residual)


def shapes(model):
    return [(name, value.shape) for name, value in model.state_dict().items()]


def weighty_layers(model, name):
    """Names, output shapes, parameters and multiply-adds of all but the shortcuts."""
    return [row for row in layers(model, models.input_shape(name)) if row.kind not in ("Identity", "ZeroPadding")]


def test_with_equal_weights_the_addition_is_the_difference():
    """The first block's convolutions see the same, so y(residual) before its ReLU is y(plain) + x."""
    plain, residual = models.plain20().double(), models.resnet20().double()
    residual.load_state_dict(plain.state_dict())
    x = Tensor(np.random.RandomState(0).standard_normal((2, 3, 8, 8)))
    branches = []
    for model in (plain, residual):
        model.layer1[0].bn2.register_forward_hook(lambda module, inputs, output: branches.append(output.data))
    before = plain.stem(x)
    after_plain, after_residual = plain.layer1[0](before).data, residual.layer1[0](before).data
    assert np.array_equal(*branches)
    assert np.array_equal(after_plain, np.maximum(branches[0], 0))
    assert np.array_equal(after_residual, np.maximum(branches[0] + before.data, 0))


def test_forward_and_backward():
    model = models.plain110()
    model(Tensor(np.random.RandomState(0).standard_normal((2, 3, 8, 8)).astype(np.float32))).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("depth", [8, 20])
def test_it_learns(depth):
    seen = losses(cifar_plain(depth, 4), images(4, 3, 16, 16), steps=12, lr=0.02)
    assert seen[-1] < 0.3 * np.log(4)


def test_a_depth_that_does_not_exist():
    with pytest.raises(ValueError, match=r"a CIFAR plain net has 6n \+ 2 layers .*, not 18"):
        cifar_plain(18, 10)
