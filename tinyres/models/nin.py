"""Network in Network (Lin, Chen & Yan, ICLR 2014), the net for CIFAR-10.

A convolution is one linear layer and a ReLU, moved over the image. Here it is a small perceptron of three layers that
moves over the image; its second and third layer see one position only, so they are 1×1 convolutions. And at the end no
linear layers, which over-fit: the last perceptron draws one map a class, and a class's score is its map's average.
ResNet took both ideas over: the 1×1 convolutions of its bottlenecks, and its average over each channel's map.
"""

from collections import OrderedDict
from collections.abc import Sequence

from tinyres.models.resnet import he_initialise
from tinyres.nn import AdaptiveAvgPool2d, Conv2d, Dropout, Flatten, MaxPool2d, Module, ReLU, Sequential, init


class NIN(Sequential):
    """x (N, 3, H, W) -> scores (N, num_classes). Figure 2 of the paper; the sizes are its authors' configuration.

    widths: for each of the three mlpconv layers, the channels of its convolution and of its 1×1 convolutions; the last
    of all are the classes' maps, and not given.

    - No ReLU after the maps. The paper has one (eq. 2); but a map that is below 0 everywhere gets no gradient from it,
      and that is where the loss pushes nine of ten. A quarter as wide, on Shapes, at a learning rate of 0.02: with it
      the loss stood at ln 10 = 2.30 for 760 steps, without it fell to 1.7 in 1,000.
    - The paper pools by the maximum throughout (sec. 4.1); its authors' files for Caffe average the second time.
    """

    def __init__(self, widths: Sequence[Sequence[int]], num_classes: int):
        first, second, third = widths
        super().__init__(
            OrderedDict[str, Module](  # at the right: what comes out, for 32×32 images
                mlpconv1=mlpconv(3, 5, first),
                pool1=MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 96, 16, 16)
                dropout1=Dropout(),
                mlpconv2=mlpconv(first[-1], 5, second),
                pool2=MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 192, 8, 8)
                dropout2=Dropout(),
                mlpconv3=mlpconv(second[-1], 3, third),
                maps=Conv2d(third[-1], num_classes, 1),  # (N, num_classes, 8, 8)
                avgpool=AdaptiveAvgPool2d(1),
                flatten=Flatten(),
            )
        )
        self.apply(initialise)


def mlpconv(channels_in: int, kernel_size: int, widths: Sequence[int]) -> Sequential:
    """A perceptron that moves over the image: eq. 2, a ReLU after each of its layers."""
    convolution, *ones = widths
    layers: list[Module] = [Conv2d(channels_in, convolution, kernel_size, padding=kernel_size // 2), ReLU()]
    channels = convolution
    for width in ones:
        layers += [Conv2d(channels, width, 1), ReLU()]
        channels = width
    return Sequential(*layers)


def initialise(module: Module) -> None:
    """As ResNet's, biases 0. The paper says only that its authors set proper values by hand (sec. 4.1)."""
    he_initialise(module)
    if isinstance(module, Conv2d) and module.bias is not None:
        init.zeros_(module.bias)


def nin(num_classes: int = 10) -> NIN:
    return NIN(((192, 160, 96), (192, 192, 192), (192, 192)), num_classes)
