"""The networks, and finding one by its name."""

from tinyres.models.alexnet import alexnet
from tinyres.models.densenet import densenet121, densenet_bc100
from tinyres.models.fpn import resnet20_fpn
from tinyres.models.googlenet import googlenet
from tinyres.models.highway import highway20, highway32
from tinyres.models.nin import nin
from tinyres.models.plain import plain18, plain20, plain32, plain34, plain44, plain56, plain110
from tinyres.models.preact import (
    preactresnet20,
    preactresnet32,
    preactresnet44,
    preactresnet56,
    preactresnet110,
    preactresnet164,
)
from tinyres.models.registry import build, input_shape, names
from tinyres.models.resnet import resnet8, resnet18_cifar, resnet20, resnet32, resnet44, resnet56, resnet110, resnet1202
from tinyres.models.resnet_imagenet import resnet18, resnet34, resnet50, resnet101, resnet152
from tinyres.models.vgg import vgg16, vgg16_cifar, vgg19

__all__ = [
    "alexnet",
    "build",
    "densenet121",
    "densenet_bc100",
    "googlenet",
    "highway20",
    "highway32",
    "input_shape",
    "names",
    "nin",
    "plain18",
    "plain20",
    "plain32",
    "plain34",
    "plain44",
    "plain56",
    "plain110",
    "preactresnet20",
    "preactresnet32",
    "preactresnet44",
    "preactresnet56",
    "preactresnet110",
    "preactresnet164",
    "resnet8",
    "resnet18",
    "resnet18_cifar",
    "resnet20",
    "resnet20_fpn",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "resnet1202",
    "vgg16",
    "vgg16_cifar",
    "vgg19",
]
