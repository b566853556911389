"""VGG, as in "Very Deep Convolutional Networks for Large-Scale Image Recognition" (Simonyan & Zisserman, ICLR 2015).

Depth made of one thing only: 3×3 convolutions, and a max-pool whenever the width changes. Two of them see 5×5 pixels
and three see 7×7, with fewer weights than one convolution of that size and more ReLUs (sec. 2.3). The plain nets of the
ResNet paper are its descendants: they keep the 3×3 convolutions and drop the large linear layers, which here hold
124 of 138 million parameters. Layer names are torchvision's, so that its weights load.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from tinyres.autograd import Tensor
from tinyres.nn import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
    init,
)
from tinyres.nn.fused import norm_relu

Stages = Sequence[Sequence[int]]

# Columns D and E of Table 1: the widths of the convolutions between one max-pool and the next.
D = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
E = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512, 512, 512, 512))


class VGG(Sequential):
    """x (N, 3, H, W) -> scores (N, num_classes); each stage halves the map, and 224×224 arrive as 7×7.

    stages: the widths of each stage's convolutions.    hidden: the units of the two hidden linear layers.
    """

    def __init__(self, stages: Stages, hidden: int, num_classes: int):
        classifier = Sequential(
            Linear(stages[-1][-1] * 7 * 7, hidden),
            ReLU(),
            Dropout(),
            Linear(hidden, hidden),
            ReLU(),
            Dropout(),
            Linear(hidden, num_classes),
        )
        super().__init__(
            OrderedDict(
                features=stacked(stages, lambda channels, width: [Conv2d(channels, width, 3, padding=1), ReLU()]),
                avgpool=AdaptiveAvgPool2d(7),  # for images of another size than 224
                flatten=Flatten(),
                classifier=classifier,
            )
        )
        self.apply(initialise)


class CifarVGG(Sequential):
    """VGG's convolutions for 32×32 images, with batch norm after each, and a single linear layer at the end.

    x (N, 3, H, W) -> scores (N, num_classes); 32×32 arrive as 1×1. Each layer is one item of `features`.

    As Liu et al. 2019 have it ("Rethinking the Value of Network Pruning", the net that is slimmed), but with the
    maximum in the last pooling too, where they take the average. VGG came to CIFAR-10 with a second linear layer and
    dropout (Zagoruyko 2015, "92.45% on CIFAR-10 in Torch").
    """

    def __init__(self, stages: Stages, num_classes: int):
        super().__init__(
            OrderedDict(
                features=stacked(stages, lambda channels, width: [ConvNormReLU(channels, width)]),
                avgpool=AdaptiveAvgPool2d(1),  # for images of another size than 32
                flatten=Flatten(),
                classifier=Linear(stages[-1][-1], num_classes),
            )
        )
        self.apply(initialise)


def stacked(stages: Stages, layer: Callable[[int, int], list[Module]]) -> Sequential:
    """The convolutions, a 2×2 max-pool after each stage. layer(channels_in, width): the modules that make up one."""
    modules: list[Module] = []
    channels = 3
    for widths in stages:
        for width in widths:
            modules += layer(channels, width)
            channels = width
        modules.append(MaxPool2d(2))
    return Sequential(*modules)


class ConvNormReLU(Module):
    """3×3 convolution, batch norm, ReLU. The convolution has no bias: batch norm would take it away again."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.conv = Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.bn = BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return norm_relu(self.bn, self.conv(x))


def initialise(module: Module) -> None:
    """As torchvision does: convolutions as He et al. 2015 (eq. 14: √(2/fan_out)), linear layers at 0.01; no biases.

    The paper trained a shallow net first and began the deep ones with its layers, the rest normal with variance 0.01;
    after submission its authors found that Glorot's initialisation does without (sec. 3.1).
    """
    if isinstance(module, Conv2d):
        init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    if isinstance(module, Linear):
        init.normal_(module.weight, std=0.01)
    if isinstance(module, (Conv2d, Linear)) and module.bias is not None:
        init.zeros_(module.bias)


def vgg16(num_classes: int = 1000) -> VGG:
    return VGG(D, 4096, num_classes)


def vgg19(num_classes: int = 1000) -> VGG:
    return VGG(E, 4096, num_classes)


def vgg16_cifar(num_classes: int = 10) -> CifarVGG:
    """13 convolutions and a linear layer: a plain net for lesions as those of Veit et al. 2016 (sec. 4.1)."""
    return CifarVGG(D, num_classes)
