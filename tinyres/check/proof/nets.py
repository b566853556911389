"""Whole blocks of residual networks, and a small network, with respect to the image and to every parameter."""

from __future__ import annotations

from functools import partial
from typing import Any

from tinyres.autograd import Tensor
from tinyres.check.proof.case import Case
from tinyres.models.plain import PlainBlock
from tinyres.models.resnet import BasicBlock, ResNet
from tinyres.models.resnet_imagenet import Bottleneck
from tinyres.nn import Module
from tinyres.random import generator

IMAGES = (3, 4, 5, 6)


def net_cases() -> list[Case]:
    """Each in training, where batch norm uses the batch's statistics, and in eval, where it uses the running ones."""
    cases = []
    for training in (True, False):
        for option in "ABC":
            cases.append(net_case("BasicBlock", f"shortcut {option}", BasicBlock(4, 8, 2, option), IMAGES, training))
            cases.append(net_case("Bottleneck", f"shortcut {option}", Bottleneck(4, 2, 2, option), IMAGES, training))
        cases.append(net_case("PlainBlock", "two convolutions", PlainBlock(4, 8, 2), IMAGES, training))
        net = ResNet(partial(BasicBlock, shortcut="A"), (1, 1, 1), (2, 3, 4), num_classes=5)
        cases.append(net_case("ResNet", "three blocks", net, (2, 3, 9, 8), training))
    return cases


def net_case(subject: str, setting: str, net: Module, shape: tuple[int, ...], training: bool) -> Case:
    """net as a function of its input and its parameters.

    A fresh net's biases are 0, and so is the input of a ReLU whose convolution sees only zeros: it lies on the kink.
    Random biases take it off.
    """
    net.double().train(training)
    rng = generator(0, f"{subject} {setting}")
    names = [name for name, _ in net.named_parameters()]
    values = {name: p.numpy().copy() for name, p in net.named_parameters()}
    for name in names:
        if name.endswith("bias"):
            values[name] += rng.uniform(0.1, 0.5, values[name].shape)

    def fn(x: Tensor, *parameters: Tensor) -> Any:
        for name, parameter in zip(names, parameters, strict=True):
            put(net, name, parameter)
        return net(x)

    inputs = {"x": rng.standard_normal(shape), **values}
    return Case(subject, f"{setting}, {'training' if training else 'eval'}", fn, inputs)


def put(net: Module, name: str, parameter: Tensor) -> None:
    """net.layer1.conv1.weight = parameter, for the name "layer1.conv1.weight"."""
    path, _, attribute = name.rpartition(".")
    setattr(dict(net.named_modules())[path], attribute, parameter)
