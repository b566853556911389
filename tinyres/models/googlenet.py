"""GoogLeNet, as in "Going Deeper with Convolutions" (Szegedy et al., CVPR 2015), in torchvision's form.

Every stage looks at its input in four ways at once and puts the answers side by side; 1×1 convolutions keep that
cheap, for they reduce the channels before the large windows come. 22 layers deep with a twentieth of VGG's parameters.

What differs from the paper is torchvision's doing, so that its weights load:
- batch norm after each convolution, which the paper did not know yet; eps = 0.001;
- 3×3 where the paper has 5×5, a mistake that its weights were trained with (its issue 906);
- no normalisation of neighbouring channels; the last max-pool's windows are 2×2, not 3×3; 20 % dropout, not 40 %.
The paper's two auxiliary classifiers, which helped in training only, are left out. A state that holds them (aux1.…,
aux2.…) is refused, unless loaded with strict=False. The published weights expect images scaled to −1 … 1.
"""

from collections import OrderedDict

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
    Sequential,
    init,
)
from tinyres.nn.fused import norm_relu
from tinyres.ops.cat import cat


class GoogLeNet(Sequential):
    """x (N, 3, H, W) -> scores (N, num_classes). From top to bottom it is Table 1 of the paper.

    ceil_mode: where the last window of a max-pool hangs over the edge, it counts: 112 pixels become 56, not 55.
    """

    def __init__(self, num_classes: int):
        super().__init__(
            OrderedDict[str, Module](  # at the right: what comes out, for 224×224 images
                conv1=BasicConv2d(3, 64, 7, stride=2, padding=3),  # (N, 64, 112, 112)
                maxpool1=MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 64, 56, 56)
                conv2=BasicConv2d(64, 64, 1),
                conv3=BasicConv2d(64, 192, 3, padding=1),  # (N, 192, 56, 56)
                maxpool2=MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 192, 28, 28)
                inception3a=Inception(192, 64, 96, 128, 16, 32, 32),  # (N, 256, 28, 28)
                inception3b=Inception(256, 128, 128, 192, 32, 96, 64),  # (N, 480, 28, 28)
                maxpool3=MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 480, 14, 14)
                inception4a=Inception(480, 192, 96, 208, 16, 48, 64),  # (N, 512, 14, 14)
                inception4b=Inception(512, 160, 112, 224, 24, 64, 64),  # (N, 512, 14, 14)
                inception4c=Inception(512, 128, 128, 256, 24, 64, 64),  # (N, 512, 14, 14)
                inception4d=Inception(512, 112, 144, 288, 32, 64, 64),  # (N, 528, 14, 14)
                inception4e=Inception(528, 256, 160, 320, 32, 128, 128),  # (N, 832, 14, 14)
                maxpool4=MaxPool2d(2, stride=2, ceil_mode=True),  # (N, 832, 7, 7)
                inception5a=Inception(832, 256, 160, 320, 32, 128, 128),  # (N, 832, 7, 7)
                inception5b=Inception(832, 384, 192, 384, 48, 128, 128),  # (N, 1024, 7, 7)
                avgpool=AdaptiveAvgPool2d(1),  # (N, 1024, 1, 1)
                flatten=Flatten(),
                dropout=Dropout(0.2),
                fc=Linear(1024, num_classes),
            )
        )
        self.apply(initialise)


class Inception(Module):
    """Four ways to look at x, their channels side by side (Fig. 2b). The map keeps its size.

            ┌── 1×1 ────────────────────────┐
        x ──┼── 1×1 (reduce3) ──── 3×3 ─────┼── y (N, one + three + five + pool, H, W)
            ├── 1×1 (reduce5) ──── 3×3 (5) ─┤
            └── 3×3 max-pool ───── 1×1 ─────┘

    The arguments, channels of each convolution, are in the order of Table 1's columns.
    """

    def __init__(self, channels_in: int, one: int, reduce3: int, three: int, reduce5: int, five: int, pool: int):
        super().__init__()
        self.branch1 = BasicConv2d(channels_in, one, 1)
        self.branch2 = Sequential(BasicConv2d(channels_in, reduce3, 1), BasicConv2d(reduce3, three, 3, padding=1))
        self.branch3 = Sequential(BasicConv2d(channels_in, reduce5, 1), BasicConv2d(reduce5, five, 3, padding=1))
        self.branch4 = Sequential(MaxPool2d(3, stride=1, padding=1), BasicConv2d(channels_in, pool, 1))

    def forward(self, x: Tensor) -> Tensor:
        return cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class BasicConv2d(Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel_size: int, stride: int = 1, padding: int = 0):
        super().__init__()
        self.conv = Conv2d(channels_in, channels_out, kernel_size, stride, padding, bias=False)
        self.bn = BatchNorm2d(channels_out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return norm_relu(self.bn, self.conv(x))


def initialise(module: Module) -> None:
    """Weights normal, standard deviation 0.01, as in torchvision; the paper gives none. Batch norm rescales them."""
    if isinstance(module, (Conv2d, Linear)):
        init.normal_(module.weight, std=0.01)


def googlenet(num_classes: int = 1000) -> GoogLeNet:
    return GoogLeNet(num_classes)
