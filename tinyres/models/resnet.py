"""Residual networks, as in "Deep Residual Learning for Image Recognition" (He, Zhang, Ren & Sun, CVPR 2016).

A block computes F(x) and adds x: y = relu(F(x) + x). If the best that a block can do is nothing, it only has to learn
F = 0, which is easier than learning the identity. In the backward pass the addition passes the gradient to x unchanged.
Layer names are torchvision's, so that its weights load.
"""

from collections.abc import Callable, Sequence
from functools import partial

from tinyres.autograd import Tensor
from tinyres.nn import BatchNorm2d, Conv2d, Identity, Linear, Module, Sequential, init
from tinyres.nn import functional as F
from tinyres.nn.fused import Normed, norm_relu


class Block(Module):
    """Stages consist of blocks. x (N, channels_in, H, W) -> (N, channels_out, H/stride, W/stride)"""

    channels_out: int


class BasicBlock(Block):
    """Two 3×3 convolutions and the addition (Fig. 2; Fig. 5 left).

    x ──┬── conv1 ─ bn1 ─ relu ── conv2 ─ bn2 ──(+)── relu ── y
        └────────────── shortcut ────────────────┘

    norm_relu(bn, x) is relu(bn(x)), and Normed(bn, x) is bn(x), computed together with what follows: nn/fused.py.
    """

    def __init__(self, channels_in: int, width: int, stride: int, shortcut: str):
        super().__init__()
        self.channels_out = width
        self.conv1 = Conv2d(channels_in, width, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.downsample = make_shortcut(shortcut, channels_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = norm_relu(self.bn1, self.conv1(x))
        F_x = Normed(self.bn2, self.conv2(out))
        return (F_x + self.downsample(x)).relu()


def make_shortcut(option: str, channels_in: int, channels_out: int, stride: int) -> Module:
    """The shortcut around a block (sections 3.3 and 4.1).

    A: the identity; where the shape changes, every stride-th pixel, and zeros for the new channels. No parameters.
    B: a 1×1 convolution where the shape changes, the identity elsewhere.    C: a 1×1 convolution everywhere.
    """
    if option not in ("A", "B", "C"):
        raise ValueError(f"shortcut: expected 'A', 'B' or 'C', got {option!r}")
    same_shape = stride == 1 and channels_in == channels_out
    if option == "C" or (option == "B" and not same_shape):
        return Sequential(Conv2d(channels_in, channels_out, 1, stride, bias=False), BatchNorm2d(channels_out))
    return Identity() if same_shape else ZeroPadding(channels_out - channels_in, stride)


class ZeroPadding(Module):
    """Shortcut A where the shape changes: every stride-th pixel of x, and `extra` channels of zeros after its own."""

    def __init__(self, extra: int, stride: int):
        super().__init__()
        self.extra, self.stride = extra, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


class ResNet(Module):
    """A 3×3 convolution, stages of blocks, the average over each channel's map, a linear layer: for 32×32 images.

    Each stage after the first halves the map and doubles the width, which keeps the cost of a layer equal (sec. 3.3).

    make_block(channels_in, width, stride): a new block.
    counts, widths: how many blocks each stage has, and how many channels.
    """

    def __init__(
        self,
        make_block: Callable[[int, int, int], Block],
        counts: Sequence[int],
        widths: Sequence[int],
        num_classes: int,
    ):
        super().__init__()
        self.conv1 = Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = BatchNorm2d(widths[0])
        channels = widths[0]
        for k, (count, width) in enumerate(zip(counts, widths, strict=True)):
            blocks: list[Module] = []
            for i in range(count):
                block = make_block(channels, width, 2 if k > 0 and i == 0 else 1)
                channels = block.channels_out
                blocks.append(block)
            self.add_module(f"layer{k + 1}", Sequential(*blocks))
        self.fc = Linear(channels, num_classes)
        self.apply(he_initialise)

    def stages(self) -> list[Module]:
        """layer1, layer2, …"""
        return [child for name, child in self.named_children() if name.startswith("layer")]

    def stem(self, x: Tensor) -> Tensor:
        return norm_relu(self.bn1, self.conv1(x))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)  # (N, widths[0], H, W)
        for stage in self.stages():
            x = stage(x)
        x = F.avg_pool2d(x, x.shape[2:])  # (N, channels, 1, 1)
        return self.fc(x.flatten(1))  # (N, num_classes)


def he_initialise(module: Module) -> None:
    """As the paper has it (sec. 3.4, from He et al. 2015): weights normal, standard deviation √(2/fan_in); biases 0."""
    if isinstance(module, (Conv2d, Linear)):
        init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            init.zeros_(module.bias)


def cifar_resnet(depth: int, num_classes: int = 10, shortcut: str = "A") -> ResNet:
    """The paper's family for CIFAR (sec. 4.2): depth = 6n + 2, n blocks at each of 16, 32 and 64 channels."""
    n, rest = divmod(depth - 2, 6)
    if rest or n < 1:
        raise ValueError(f"a CIFAR ResNet has 6n + 2 layers (8, 14, 20, 32, 44, 56, 110, …), not {depth}")
    return ResNet(partial(BasicBlock, shortcut=shortcut), (n, n, n), (16, 32, 64), num_classes)


resnet8 = partial(cifar_resnet, 8)  # not in the paper: the family's smallest member, for a first look
resnet20 = partial(cifar_resnet, 20)
resnet32 = partial(cifar_resnet, 32)
resnet44 = partial(cifar_resnet, 44)
resnet56 = partial(cifar_resnet, 56)
resnet110 = partial(cifar_resnet, 110)
resnet1202 = partial(cifar_resnet, 1202)


def resnet18_cifar(num_classes: int = 10, shortcut: str = "B") -> ResNet:
    """ResNet-18's blocks behind a 3×3 stem, for 32×32 images: a wider net than the paper's for CIFAR."""
    return ResNet(partial(BasicBlock, shortcut=shortcut), (2, 2, 2, 2), (64, 128, 256, 512), num_classes)
