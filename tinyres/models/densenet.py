"""DenseNets, as in "Densely Connected Convolutional Networks" (Huang, Liu, van der Maaten & Weinberger, CVPR 2017).

Where a residual block adds to what came before, a dense layer sets its output beside it: every layer reads the maps of
all the layers before it in its block (eq. 2). Nothing is added up, nothing is overwritten; so a layer can afford to
contribute few maps, k of them, the growth rate.

    ResNet     x_l = H_l(x_{l−1}) + x_{l−1}
    DenseNet   x_l = H_l([x_0, x_1, …, x_{l−1}])        [ ] side by side, along the channels

Names are torchvision's, so its weights load: densenet121().load_state_dict(theirs.state_dict()). (In the file that it
downloads, layers still have older names, norm.1 for norm1; it renames them as it loads.)
"""

from collections.abc import Sequence

from tinyres.autograd import Tensor
from tinyres.models.resnet import he_initialise
from tinyres.nn import AvgPool2d, BatchNorm2d, Conv2d, Linear, MaxPool2d, Module, ReLU, Sequential
from tinyres.nn import functional as F
from tinyres.nn.fused import norm_relu
from tinyres.ops.cat import cat


class DenseLayer(Module):
    """H: batch norm, ReLU, 1×1 to 4k channels; batch norm, ReLU, 3×3 to k channels (sec. 3, "DenseNet-B").

    x (N, channels_in, H, W) -> the new maps alone, (N, growth_rate, H, W)
    """

    def __init__(self, channels_in: int, growth_rate: int):
        super().__init__()
        self.norm1 = BatchNorm2d(channels_in)
        self.conv1 = Conv2d(channels_in, 4 * growth_rate, 1, bias=False)
        self.norm2 = BatchNorm2d(4 * growth_rate)
        self.conv2 = Conv2d(4 * growth_rate, growth_rate, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(norm_relu(self.norm1, x))
        return self.conv2(norm_relu(self.norm2, out))


class DenseBlock(Module):
    """A row of dense layers (Fig. 1): each reads everything before it, and its maps are appended.

    (N, channels_in, H, W) -> (N, channels_in + layers · growth_rate, H, W)
    """

    def __init__(self, layers: int, channels_in: int, growth_rate: int):
        super().__init__()
        for l in range(layers):
            self.add_module(f"denselayer{l + 1}", DenseLayer(channels_in + l * growth_rate, growth_rate))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = cat([x, layer(x)], dim=1)  # copies all that came before, L²/2 maps in L layers: the paper's plain form
        return x


class Transition(Module):
    """Between two blocks: half the channels ("compression", the C of BC, θ = 0.5) by a 1×1, and half the map."""

    def __init__(self, channels_in: int):
        super().__init__()
        self.norm = BatchNorm2d(channels_in)
        self.conv = Conv2d(channels_in, channels_in // 2, 1, bias=False)
        self.pool = AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.conv(norm_relu(self.norm, x)))


class DenseNet(Module):
    """A stem, dense blocks and transitions, batch norm, ReLU, the average over each map, a linear layer (Table 1).

    stem: layers that turn an image into 2k maps, under their names.
    counts: how many layers each block has.

    Weights start as he_initialise has them: the paper too follows He et al. 2015 (sec. 4.2). Its dropout, which it uses
    only where it trains without augmentation, is left out.
    """

    def __init__(self, stem: dict[str, Module], counts: Sequence[int], growth_rate: int, num_classes: int):
        super().__init__()
        self.features = Sequential(stem)
        channels = 2 * growth_rate
        for k, count in enumerate(counts, start=1):
            self.features.add_module(f"denseblock{k}", DenseBlock(count, channels, growth_rate))
            channels += count * growth_rate
            if k < len(counts):
                self.features.add_module(f"transition{k}", Transition(channels))
                channels //= 2
        self.features.add_module("norm5", BatchNorm2d(channels))  # torchvision's number, though not all have 4 blocks
        self.classifier = Linear(channels, num_classes)
        self.apply(he_initialise)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.features(x))
        x = F.adaptive_avg_pool2d(x, 1)  # (N, channels, 1, 1)
        return self.classifier(x.flatten(1))  # (N, num_classes)


def densenet_bc(depth: int, growth_rate: int, num_classes: int) -> DenseNet:
    """The family for 32×32 images: three blocks, depth = 6n + 4 with n dense layers, of two convolutions each, a block.

    The stem is one 3×3 convolution; the first dense layer brings its own batch norm.
    """
    n, rest = divmod(depth - 4, 6)
    if rest or n < 1:
        raise ValueError(f"a CIFAR DenseNet-BC has 6n + 4 layers (10, 16, 22, 40, 100, 190, 250, …), not {depth}")
    stem: dict[str, Module] = {"conv0": Conv2d(3, 2 * growth_rate, 3, padding=1, bias=False)}
    return DenseNet(stem, (n, n, n), growth_rate, num_classes)


def densenet_bc100(num_classes: int = 10) -> DenseNet:
    """DenseNet-BC (k = 12) of 100 layers: 4.51 % error on CIFAR-10 with 0.8 M parameters (Table 2)."""
    return densenet_bc(100, 12, num_classes)


def densenet121(num_classes: int = 1000) -> DenseNet:
    """Four blocks of 6, 12, 24 and 16 layers, k = 32, behind the stem of the ImageNet ResNets (Table 1)."""
    stem: dict[str, Module] = {
        "conv0": Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        "norm0": BatchNorm2d(64),
        "relu0": ReLU(),
        "pool0": MaxPool2d(3, stride=2, padding=1),
    }
    return DenseNet(stem, (6, 12, 24, 16), 32, num_classes)
