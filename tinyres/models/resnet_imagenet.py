"""ResNets for ImageNet's 224×224 images: He et al. (CVPR 2016), Table 1. Their blocks and shortcuts: resnet.py."""

from collections.abc import Callable, Sequence
from functools import partial

from tinyres.autograd import Tensor
from tinyres.models.resnet import BasicBlock, Block, ResNet, he_initialise, make_shortcut
from tinyres.nn import BatchNorm2d, Conv2d
from tinyres.nn import functional as F
from tinyres.nn.fused import Normed, norm_relu


class Bottleneck(Block):
    """1×1 to fewer channels, 3×3 there, 1×1 back to four times as many, and the addition (Fig. 5 right).

    The stride is on the 3×3 convolution, as in torchvision ("v1.5"); in the paper it is on the first 1×1, which skips
    three of four pixels: 3.8 instead of 4.1 G multiply-adds for ResNet-50, with the same parameters.
    """

    def __init__(self, channels_in: int, width: int, stride: int, shortcut: str):
        super().__init__()
        self.channels_out = 4 * width
        self.conv1 = Conv2d(channels_in, width, 1, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.conv3 = Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = BatchNorm2d(4 * width)
        self.downsample = make_shortcut(shortcut, channels_in, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = norm_relu(self.bn1, self.conv1(x))
        out = norm_relu(self.bn2, self.conv2(out))
        F_x = Normed(self.bn3, self.conv3(out))
        return (F_x + self.downsample(x)).relu()


class ImageNetResNet(ResNet):
    """The same for 224×224 images: a 7×7 convolution of stride 2 and a 3×3 max-pool come first (Table 1)."""

    def __init__(self, make_block: Callable[[int, int, int], Block], counts: Sequence[int], num_classes: int):
        super().__init__(make_block, counts, (64, 128, 256, 512), num_classes)
        self.conv1 = Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        he_initialise(self.conv1)

    def stem(self, x: Tensor) -> Tensor:
        return F.max_pool2d(super().stem(x), 3, stride=2, padding=1)


def resnet18(num_classes: int = 1000, shortcut: str = "B") -> ImageNetResNet:
    return ImageNetResNet(partial(BasicBlock, shortcut=shortcut), (2, 2, 2, 2), num_classes)


def resnet34(num_classes: int = 1000, shortcut: str = "B") -> ImageNetResNet:
    return ImageNetResNet(partial(BasicBlock, shortcut=shortcut), (3, 4, 6, 3), num_classes)


def resnet50(num_classes: int = 1000, shortcut: str = "B") -> ImageNetResNet:
    return ImageNetResNet(partial(Bottleneck, shortcut=shortcut), (3, 4, 6, 3), num_classes)


def resnet101(num_classes: int = 1000, shortcut: str = "B") -> ImageNetResNet:
    return ImageNetResNet(partial(Bottleneck, shortcut=shortcut), (3, 4, 23, 3), num_classes)


def resnet152(num_classes: int = 1000, shortcut: str = "B") -> ImageNetResNet:
    return ImageNetResNet(partial(Bottleneck, shortcut=shortcut), (3, 8, 36, 3), num_classes)
