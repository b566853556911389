"""Lesson 8: degradation: why deeper plain networks do worse."""

import numpy as np

from tinyres.study.course.lesson import Lesson

lesson = Lesson(8, "degradation")


def _kernels(channels, *, others=0.0, place=np.s_[1:2, 1:2], value=1.0):
    w = np.zeros((channels, channels, 3, 3))
    w[:, :, *place] = others
    w[np.arange(channels), np.arange(channels), *place] = value
    return w


@lesson.function(
    inputs=lambda rng: (int(rng.integers(2, 6)),),
    hints=(
        "Output channel o must be input channel o: which of the C² little kernels may be anything but 0?",
        "A 1 in the middle, at [1, 1], of each kernel w[o, o]; 0 everywhere else.",
    ),
    mistakes=(
        (
            lambda channels: _kernels(channels, others=1.0),
            "every output channel is the sum of all input channels; w[o, c] must be 0 for o ≠ c.",
        ),
        (
            lambda channels: _kernels(channels, place=np.s_[:, :]),
            "this sums nine pixels; all but the middle one of each kernel must be 0.",
        ),
        (
            lambda channels: _kernels(channels, place=np.s_[:, :], value=1 / 9),
            "this is the mean of nine pixels: a blur, not the image.",
        ),
        (
            lambda channels: _kernels(channels, place=np.s_[:1, :1]),
            "the 1 is in the corner: the image comes out shifted by one pixel both ways. The middle is [1, 1].",
        ),
        (lambda channels: np.ones((channels, channels, 3, 3)), "this sums nine pixels of all the channels."),
        (
            lambda channels: np.eye(channels)[:, :, None, None],
            "these are 1×1 kernels; right in what they do, but 3×3 was asked for: put them in the middle.",
        ),
    ),
)
def identity_kernels(channels):
    """channels C -> w (C, C, 3, 3), as (output, input, height, width): the weights with which a 3×3 convolution with
    padding 1 returns its input unchanged."""
    w = np.zeros((channels, channels, 3, 3))
    for o in range(channels):
        w[o, o, 1, 1] = 1
    return w


degradation_cause = lesson.choose(
    "degradation_cause",
    question="A plain net of 56 layers has a higher error than one of 20, on the test set *and on the training set*. "
    "What is the matter (He et al. 2016, section 1 and 4.1)?",
    options={
        "a": (
            "Over-fitting.",
            "over-fitting lowers the training error and raises the test error; here both are higher.",
        ),
        "b": (
            "It cannot represent what the shallow net does.",
            "it can: 36 layers could be the identity, and the rest a copy of the shallow net.",
        ),
        "c": (
            "It is hard to optimise: a solution as good exists, and the solver does not find it.",
            "identity layers on top of the shallow net would do as well; training does not get there.",
        ),
        "d": (
            "Its gradients vanish.",
            "the paper's plain nets use batch norm, and their gradients have healthy norms: it argues against this.",
        ),
    },
    right="c",
    hints=("Look at the *training* error.", "Could a deep net copy the shallow one? Then what is left but the search?"),
)

cifar_depth = lesson.predict(
    "cifar_depth",
    question="The paper's nets for CIFAR have a first convolution, three stages of n blocks with two convolutions "
    "each, and a linear layer. How many layers for n = 9?",
    value=56,
    tolerance=0,
    mistakes=(
        (54, "the first convolution and the linear layer count, too."),
        (55, "the first convolution *and* the linear layer count."),
        (29, "each block has two convolutions."),
        (20, "three stages of nine blocks each."),
        (11, "three stages, each of n blocks with two convolutions."),
    ),
    hints=("3·n blocks, two layers each, and two more.", "6·n + 2"),
    because="6n + 2 = 56.",
)

identity_distance = lesson.predict(
    "identity_distance",
    question="A layer with small weights gives [0.6, 0.6] where [2, 1] was wanted. By which factor is its output "
    "nearer to [0, 0] than to [2, 1]? (The ratio of the two distances, the larger over the smaller.)",
    value=((1.4**2 + 0.4**2) / 0.72) ** 0.5,
    mistakes=(
        ((1.4**2 + 0.4**2) / 0.72, "that is the ratio of the *squared* distances; take the root."),
        ((0.72 / (1.4**2 + 0.4**2)) ** 0.5, "the other way round: the larger over the smaller."),
        (1.5, "distances add in squares: √(1.4² + 0.4²) over √(0.6² + 0.6²)."),
        ((1.4**2 + 0.4**2) ** 0.5, "that is the distance to [2, 1]; divide it by the one to [0, 0]."),
    ),
    hints=("The distance of two points: the root of the sum of squares.", "√(1.4² + 0.4²) / √(0.6² + 0.6²)"),
    because="1.456 / 0.849 = 1.72: doing nothing at all (F = 0) is nearer than the identity.",
)
