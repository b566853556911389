"""Pre-activation ResNets, as in "Identity Mappings in Deep Residual Networks" (He, Zhang, Ren & Sun, ECCV 2016).

The first ResNets compute relu(F(x) + x): the ReLU is in the path of x, so what one block adds reaches the next
only if it is positive. Here batch norm and ReLU come before each convolution instead of after it, and nothing comes
after the addition: x_{l+1} = x_l + F(x_l). So any later x is an earlier one plus what was added in between, and the
gradient at the end arrives at every earlier unit with a 1 in front (eq. 4 and 5):

    x_L = x_l + Σ F(x_i)        ∂C/∂x_l = ∂C/∂x_L · (1 + ∂/∂x_l Σ F(x_i))

On CIFAR-10 that turns 6.61 % error into 6.37 with 110 layers, and 5.93 into 5.46 with 164 (Table 2).
"""

from collections.abc import Callable
from functools import partial

from tinyres.autograd import Tensor
from tinyres.models import resnet
from tinyres.models.resnet import Block, ResNet
from tinyres.nn import BatchNorm2d, Conv2d, Identity, Module, Sequential
from tinyres.nn import functional as F
from tinyres.nn.fused import norm_relu


class PreActBlock(Block):
    """Two 3×3 convolutions, each behind its batch norm and ReLU, and the addition (Fig. 1b; Fig. 4e).

    x ──┬── bn1 ─ relu ─ conv1 ── bn2 ─ relu ─ conv2 ──(+)── y
        └───────────────── shortcut ──────────────────┘
    """

    def __init__(self, channels_in: int, width: int, stride: int, shortcut: str):
        super().__init__()
        self.channels_out = width
        self.bn1 = BatchNorm2d(channels_in)
        self.conv1 = Conv2d(channels_in, width, 3, stride, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, padding=1, bias=False)
        self.downsample = make_shortcut(shortcut, channels_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        active = norm_relu(self.bn1, x)
        out = self.conv1(active)
        out = self.conv2(norm_relu(self.bn2, out))
        return out + way_around(self.downsample, x, active)


class PreActBottleneck(Block):
    """1×1 to fewer channels, 3×3 there, 1×1 back to four times as many, each behind its batch norm and ReLU.

    The stride is on the first 1×1, as in the paper's own code (github.com/KaimingHe/resnet-1k-layers).
    """

    def __init__(self, channels_in: int, width: int, stride: int, shortcut: str):
        super().__init__()
        self.channels_out = 4 * width
        self.bn1 = BatchNorm2d(channels_in)
        self.conv1 = Conv2d(channels_in, width, 1, stride, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, padding=1, bias=False)
        self.bn3 = BatchNorm2d(width)
        self.conv3 = Conv2d(width, 4 * width, 1, bias=False)
        self.downsample = make_shortcut(shortcut, channels_in, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        active = norm_relu(self.bn1, x)
        out = self.conv1(active)
        out = self.conv2(norm_relu(self.bn2, out))
        out = self.conv3(norm_relu(self.bn3, out))
        return out + way_around(self.downsample, x, active)


def make_shortcut(option: str, channels_in: int, channels_out: int, stride: int) -> Module:
    """resnet.make_shortcut's A, B or C; but a projection has no batch norm of its own: norms come first here."""
    shortcut = resnet.make_shortcut(option, channels_in, channels_out, stride)
    return shortcut[0] if isinstance(shortcut, Sequential) else shortcut


def way_around(shortcut: Module, x: Tensor, active: Tensor) -> Tensor:
    """Without weights the shortcut hands on x itself, untouched; a projection reads relu(bn1(x)), as F does (appendix).

    The appendix: "when pre-activation is used, these projection shortcuts are also with pre-activation".
    """
    return shortcut(active if isinstance(shortcut, Conv2d) else x)


class PreActResNet(ResNet):
    """ResNet with such units: as many layers and parameters, but the norms are in other places (Fig. 5).

    Two places are special (appendix). The activation after conv1 comes before the paths of the first unit part, so
    that unit has none of its own; and behind the last addition, which no unit follows, there is one more.
    """

    def __init__(self, make_unit: Callable[[int, int, int], Block], n: int, num_classes: int):
        super().__init__(make_unit, (n, n, n), (16, 32, 64), num_classes)
        first_unit = next(self.stages()[0].children())
        first_unit.add_module("bn1", Identity())  # its ReLU then changes nothing: the stem's output is 0 or more
        self.bn = BatchNorm2d(self.fc.in_features)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)  # (N, 16, H, W)
        for stage in self.stages():
            x = stage(x)
        x = norm_relu(self.bn, x)
        x = F.adaptive_avg_pool2d(x, 1)  # (N, channels, 1, 1)
        return self.fc(x.flatten(1))  # (N, num_classes)


def cifar_preactresnet(depth: int, num_classes: int, shortcut: str) -> PreActResNet:
    """depth = 6n + 2: n units of two 3×3 convolutions at each of 16, 32 and 64 channels."""
    n, rest = divmod(depth - 2, 6)
    if rest or n < 1:
        raise ValueError(f"a pre-activation ResNet for CIFAR has 6n + 2 layers (8, 14, 20, 32, …), not {depth}")
    return PreActResNet(partial(PreActBlock, shortcut=shortcut), n, num_classes)


def preactresnet20(num_classes: int = 10, shortcut: str = "A") -> PreActResNet:
    return cifar_preactresnet(20, num_classes, shortcut)


def preactresnet32(num_classes: int = 10, shortcut: str = "A") -> PreActResNet:
    return cifar_preactresnet(32, num_classes, shortcut)


def preactresnet44(num_classes: int = 10, shortcut: str = "A") -> PreActResNet:
    return cifar_preactresnet(44, num_classes, shortcut)


def preactresnet56(num_classes: int = 10, shortcut: str = "A") -> PreActResNet:
    return cifar_preactresnet(56, num_classes, shortcut)


def preactresnet110(num_classes: int = 10, shortcut: str = "A") -> PreActResNet:
    return cifar_preactresnet(110, num_classes, shortcut)


def preactresnet164(num_classes: int = 10, shortcut: str = "B") -> PreActResNet:
    """18 bottlenecks at each of 64, 128 and 256 channels, 9n + 2 layers; the paper projects where the shape changes."""
    return PreActResNet(partial(PreActBottleneck, shortcut=shortcut), 18, num_classes)
