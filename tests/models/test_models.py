"""tinyres/models/__init__.py: finding a model by its name."""

import re
from importlib import import_module

import pytest

from tinyres import models
from tinyres.look.summary import count_parameters
from tinyres.models.registry import FILES


def test_every_name_is_a_function_here():
    assert "resnet20" in models.names() and "plain34" in models.names()
    for name, file in FILES.items():
        assert getattr(models, name) is getattr(import_module(f"tinyres.models.{file}"), name)
    assert models.names() == list(FILES) and set(FILES) <= set(models.__all__)


def test_settings_left_out_are_the_models_own():
    assert models.build("resnet8").fc.weight.shape == (10, 64)
    assert models.build("resnet8", num_classes=3).fc.weight.shape == (3, 64)
    assert count_parameters(models.build("resnet8", shortcut="B")) == count_parameters(models.build("resnet8")) + 2752
    assert models.build("plain20", num_classes=3).fc.weight.shape == (3, 64)


def test_input_shapes():
    shown = ("resnet20", "plain34", "resnet18_cifar", "vgg19", "vgg16_cifar", "densenet121")
    assert {name: models.input_shape(name) for name in shown} == {
        "resnet20": (3, 32, 32),
        "plain34": (3, 224, 224),
        "resnet18_cifar": (3, 32, 32),
        "vgg19": (3, 224, 224),
        "vgg16_cifar": (3, 32, 32),
        "densenet121": (3, 224, 224),
    }


def test_a_misspelt_name_gets_a_hint():
    with pytest.raises(ValueError, match=r"unknown model 'resnet-20'; did you mean resnet20\? The models are: "):
        models.build("resnet-20")
    with pytest.raises(ValueError, match="unknown model 'xyz'; The models are: "):
        models.build("xyz")


@pytest.mark.parametrize("name", ["plain20", "vgg16", "googlenet", "highway20", "densenet_bc100"])
def test_a_net_without_additions_has_no_shortcut_to_choose(name):
    with pytest.raises(ValueError, match=re.escape(f"{name} has no shortcuts, so there is no option 'A' to choose")):
        models.build(name, shortcut="A")


@pytest.mark.parametrize("name", ["preactresnet20", "resnet20_fpn"])
def test_a_net_with_additions_has(name):
    a, b = (count_parameters(models.build(name, shortcut=option)) for option in "AB")
    assert b > a
