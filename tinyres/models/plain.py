"""Plain networks: the residual networks' exact twins, layer for layer, without the additions.

What they are for: a plain net gets *worse* with depth, on the training set too (He et al. 2016a, Fig. 1 and 6), though
the deeper one could copy the shallower and do nothing in the rest. Same skeleton, same layers, same parameters as the
ResNet of that depth with shortcut A, so every difference comes from the addition.
"""

from tinyres.autograd import Tensor
from tinyres.models.resnet import Block, ResNet
from tinyres.models.resnet_imagenet import ImageNetResNet
from tinyres.nn import BatchNorm2d, Conv2d
from tinyres.nn.fused import norm_relu


class PlainBlock(Block):
    """Two 3×3 convolutions: BasicBlock with its shortcut cut.

    x ── conv1 ─ bn1 ─ relu ── conv2 ─ bn2 ── relu ── y
    """

    def __init__(self, channels_in: int, width: int, stride: int):
        super().__init__()
        self.channels_out = width
        self.conv1 = Conv2d(channels_in, width, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        out = norm_relu(self.bn1, self.conv1(x))
        return norm_relu(self.bn2, self.conv2(out))


def cifar_plain(depth: int, num_classes: int) -> ResNet:
    """depth = 6n + 2 layers: n blocks of two at each of 16, 32 and 64 channels."""
    n, rest = divmod(depth - 2, 6)
    if rest or n < 1:
        raise ValueError(f"a CIFAR plain net has 6n + 2 layers (8, 14, 20, 32, 44, 56, 110, …), not {depth}")
    return ResNet(PlainBlock, (n, n, n), (16, 32, 64), num_classes)


def plain20(num_classes: int = 10) -> ResNet:
    return cifar_plain(20, num_classes)


def plain32(num_classes: int = 10) -> ResNet:
    return cifar_plain(32, num_classes)


def plain44(num_classes: int = 10) -> ResNet:
    return cifar_plain(44, num_classes)


def plain56(num_classes: int = 10) -> ResNet:
    return cifar_plain(56, num_classes)


def plain110(num_classes: int = 10) -> ResNet:
    return cifar_plain(110, num_classes)


def plain18(num_classes: int = 1000) -> ImageNetResNet:
    return ImageNetResNet(PlainBlock, (2, 2, 2, 2), num_classes)


def plain34(num_classes: int = 1000) -> ImageNetResNet:
    return ImageNetResNet(PlainBlock, (3, 4, 6, 3), num_classes)
