"""AlexNet, in the form of "One weird trick for parallelizing convolutional neural networks" (Krizhevsky 2014).

The net that won ImageNet in 2012 is in "ImageNet Classification with Deep Convolutional Neural Networks" (Krizhevsky,
Sutskever & Hinton, NIPS 2012). What everybody now calls AlexNet is its author's second version, as torchvision has it:

                            2012                                          here
    towers                  two, one on each GPU; convolutions 2, 4       one: no groups
                            and 5 see their own tower's channels only
    channels                96, 256, 384, 384, 256                        64, 192, 384, 256, 256
    normalisation           of neighbouring channels, after 1 and 2       none
    initial weights         normal, standard deviation 0.01               torch's default, ±1/√fan_in
    initial biases          1 in convolutions 2, 4, 5 and the hidden      the same
                            linear layers, 0 elsewhere

The 2014 paper (footnote 1) gives the fourth convolution 384 channels; the author's own configuration for one GPU has
256, and from there it came to torchvision. Layer names are torchvision's, so that its weights load.
"""

from collections import OrderedDict
from collections.abc import Sequence

from tinyres.nn import AdaptiveAvgPool2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential


class AlexNet(Sequential):
    """x (N, 3, H, W) -> scores (N, num_classes); H and W of 63 or more.

    widths: the channels of the five convolutions.    hidden: the units of the two hidden linear layers.
    """

    def __init__(self, widths: Sequence[int], hidden: int, num_classes: int):
        first, second, third, fourth, fifth = widths
        features = Sequential(  # at the right: the map's size after it, for 224×224 images
            Conv2d(3, first, 11, stride=4, padding=2),  # 55
            ReLU(),
            MaxPool2d(3, stride=2),  # 27; the windows overlap
            Conv2d(first, second, 5, padding=2),
            ReLU(),
            MaxPool2d(3, stride=2),  # 13
            Conv2d(second, third, 3, padding=1),
            ReLU(),
            Conv2d(third, fourth, 3, padding=1),
            ReLU(),
            Conv2d(fourth, fifth, 3, padding=1),
            ReLU(),
            MaxPool2d(3, stride=2),  # 6
        )
        classifier = Sequential(
            Dropout(),
            Linear(fifth * 6 * 6, hidden),
            ReLU(),
            Dropout(),
            Linear(hidden, hidden),
            ReLU(),
            Linear(hidden, num_classes),
        )
        avgpool = AdaptiveAvgPool2d(6)  # for images of another size than 224
        super().__init__(OrderedDict(features=features, avgpool=avgpool, flatten=Flatten(), classifier=classifier))


def alexnet(num_classes: int = 1000) -> AlexNet:
    return AlexNet((64, 192, 384, 256, 256), 4096, num_classes)
