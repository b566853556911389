"""Highway networks, as in "Training Very Deep Networks" (Srivastava, Greff & Schmidhuber, NIPS 2015).

A year before ResNets, and with gates: each layer decides, for every value, how much of it to compute anew and how much
to carry over (eq. 3).

    y = H(x)·T(x) + x·(1 − T(x))        T(x) = sigmoid(…), between 0 and 1

With T = 0 the layer passes x, and its derivative is the identity; with T = 1 it is the plain layer H (eq. 4 and 5). A
residual block is the same with nothing to decide: H and x both count in full. There the path of x is always open; here
it closes as T nears 1.
"""

from tinyres.autograd import Tensor
from tinyres.models.resnet import he_initialise
from tinyres.nn import BatchNorm2d, Conv2d, Flatten, Linear, Module, ReLU, Sequential, Sigmoid, init
from tinyres.nn import functional as F
from tinyres.nn.fused import norm_relu


class Highway(Module):
    """y = H(x)·T(x) + x·(1 − T(x)) for an x of any shape, which is also y's.

    x ──┬── transform: H ──(· T)───(+)── y
        ├── gate: T                 │
        └──────────────(· (1 − T))──┘

    transform: H, a layer with its activation, that keeps the shape. gate: a layer that does; a sigmoid follows it. Its
    bias starts at gate_bias: a negative one leaves the gates nearly closed at first, so that a deep net begins by
    passing x on (sec. 2.2).

    To see the gates, put a hook on `gate`; what comes out of it is T(x):

        >>> layer, seen = fully_connected(4, gate_bias=-2.0), []
        >>> hook = layer.gate.register_forward_hook(lambda gate, inputs, T: seen.append(T))
        >>> y = layer(Tensor([[0.0, 0.0, 0.0, 0.0]]))
        >>> [round(T, 3) for T in seen[0].data[0].tolist()]  # sigmoid(−2)
        [0.119, 0.119, 0.119, 0.119]
    """

    def __init__(self, transform: Module, gate: Conv2d | Linear, gate_bias: float):
        super().__init__()
        if gate.bias is None:
            raise ValueError("Highway: the gate needs a bias, which keeps it nearly closed at first")
        self.transform = transform
        self.gate = Sequential(gate, Sigmoid())
        self.apply(he_initialise)
        init.constant_(gate.bias, gate_bias)

    def forward(self, x: Tensor) -> Tensor:
        H = self.transform(x)
        T = self.gate(x)
        return H * T + x * (1 - T)


class PlainLayer(Module):
    """relu(bn(conv(x))): H of a convolutional highway layer, and by itself where the shape changes."""

    def __init__(self, channels_in: int, width: int, stride: int = 1):
        super().__init__()
        self.conv = Conv2d(channels_in, width, 3, stride, padding=1, bias=False)
        self.bn = BatchNorm2d(width)
        self.apply(he_initialise)

    def forward(self, x: Tensor) -> Tensor:
        return norm_relu(self.bn, self.conv(x))


def convolutional(channels: int, gate_bias: float) -> Highway:
    """H and T are 3×3 convolutions: "the same sized receptive fields for both", and zeros around (sec. 2.1)."""
    return Highway(PlainLayer(channels, channels), Conv2d(channels, channels, 3, padding=1), gate_bias)


def fully_connected(width: int, gate_bias: float) -> Highway:
    return Highway(Sequential(Linear(width, width), ReLU()), Linear(width, width), gate_bias)


class HighwayNet(Module):
    """The skeleton of CIFAR's plain and residual nets (resnet.py), with gates: for 32×32 images.

    A 3×3 convolution, 2n layers at each of 16, 32 and 64 channels, the average over each channel's map, a linear layer.
    All but the first and last are highway layers, except for the two that halve the map: where the shape changes, x
    cannot be carried over, and "a plain layer" takes its place (sec. 2.1).

    Two departures. The paper's nets for CIFAR-10 take the widths of FitNets; here depth and gates are all that differs
    from the plain and residual nets. And H has batch norm, as theirs has, which the paper does without: after 140 steps
    at their learning rate, 0.1, highway20 had 28 % of Shapes right, and without batch norm 10 %, as by guessing.
    """

    def __init__(self, n: int, num_classes: int, gate_bias: float):
        super().__init__()
        self.conv1 = PlainLayer(3, 16)
        self.layer1 = Sequential(*(convolutional(16, gate_bias) for _ in range(2 * n)))
        self.layer2 = Sequential(PlainLayer(16, 32, 2), *(convolutional(32, gate_bias) for _ in range(2 * n - 1)))
        self.layer3 = Sequential(PlainLayer(32, 64, 2), *(convolutional(64, gate_bias) for _ in range(2 * n - 1)))
        self.fc = Linear(64, num_classes)
        he_initialise(self.fc)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)  # (N, 16, H, W)
        x = self.layer3(self.layer2(self.layer1(x)))  # (N, 64, H/4, W/4)
        x = F.adaptive_avg_pool2d(x, 1)  # (N, 64, 1, 1)
        return self.fc(x.flatten(1))  # (N, num_classes)


def cifar_highway(depth: int, num_classes: int, gate_bias: float) -> HighwayNet:
    """depth = 6n + 2 layers between x and the scores; gates are parallel to their layer and do not count."""
    n, rest = divmod(depth - 2, 6)
    if rest or n < 1:
        raise ValueError(f"a CIFAR highway net has 6n + 2 layers (8, 14, 20, 32, …), not {depth}")
    return HighwayNet(n, num_classes, gate_bias)


def highway20(num_classes: int = 10, gate_bias: float = -2.0) -> HighwayNet:
    """The bias as the paper advises: −1, −2 and −3 for about 10, 20 and 30 convolutional layers (sec. 2.2)."""
    return cifar_highway(20, num_classes, gate_bias)


def highway32(num_classes: int = 10, gate_bias: float = -3.0) -> HighwayNet:
    return cifar_highway(32, num_classes, gate_bias)


def highway_mlp(features: int, width: int, layers: int, num_classes: int, gate_bias: float) -> Sequential:
    """A net without convolutions, for experiments on depth: the paper's for MNIST have width 50 (sec. 3.1).

    (N, …) with `features` values an image → a plain layer to `width` → highway layers → (N, num_classes)
    """
    net = Sequential(
        Flatten(),
        Linear(features, width),
        ReLU(),
        *(fully_connected(width, gate_bias) for _ in range(layers)),
        Linear(width, num_classes),
    )
    for layer in net:
        he_initialise(layer)
    return net
