"""Lesson 9: the residual block: w + 1, shortcuts, bottlenecks."""

import numpy as np

from tinyres.models import resnet
from tinyres.ops.add import Add
from tinyres.ops.relu import ReLU
from tinyres.study.course.lesson import Lesson

lesson = Lesson(9, "the residual block")


@lesson.backward(
    forward=np.add,
    gradients="f x",
    inputs=lambda rng: (rng.standard_normal((3, 4)), rng.standard_normal((3, 4))),
    hints=("What is ∂(f + x)/∂f? And ∂(f + x)/∂x?", "Both are 1: an addition hands gy on, whole, to both sides."),
    library=(Add.backward,),
)
def residual_add_backward(gy, f, x):
    """y = f + x, the end of a residual block. gy, f, x (N, M) -> gf, gx (N, M): what each of the two is handed."""
    return gy, gy


@lesson.backward(
    forward=lambda x, w: x + np.maximum(x @ w.T, 0),
    gradients="x w",
    inputs=lambda rng: (rng.standard_normal((4, 3)), rng.standard_normal((3, 3))),
    hints=(
        "Two ways lead from y to x: through the layer, and around it. Their gradients add up.",
        "g = gy * (x @ w.T > 0); gx = gy + g @ w; gw = g.T @ x.",
    ),
    mistakes=(
        (
            lambda gy, x, w: (gy + gy @ w, gy.T @ x),
            "ReLU's mask is missing: what goes back into the layer is gy where x @ w.T > 0, and 0 elsewhere.",
        ),
        (
            lambda gy, x, w: (gy + (gy * (x > 0)) @ w, (gy * (x > 0)).T @ x),
            "the mask is of x; ReLU saw x @ w.T, so it must be of that (x @ w.T > 0).",
        ),
        (
            lambda gy, x, w: (gy + (gy @ w) * (x @ w.T > 0), (gy * (x @ w.T > 0)).T @ x),
            "in gx the mask comes after w: on the way back ReLU is met first, then w: (gy * mask) @ w.",
        ),
        (
            lambda gy, x, w: ((gy + gy * (x @ w.T > 0)) @ w, (gy * (x @ w.T > 0)).T @ x),
            "the shortcut's gy goes through w, too: gx = gy + g @ w.",
        ),
        (
            lambda gy, x, w: (gy * (x @ w.T > 0) + (gy * (x @ w.T > 0)) @ w, (gy * (x @ w.T > 0)).T @ x),
            "the shortcut's gy is masked, too: it goes around the ReLU and arrives whole.",
        ),
    ),
    library=(Add, ReLU.backward),
)
def residual_block_backward(gy, x, w):
    """y = x + relu(x @ w.T). gy, x (N, M), w (M, M) -> gx (N, M), gw (M, M)"""
    g = gy * (x @ w.T > 0)
    return gy + g @ w, g.T @ x


@lesson.function(
    inputs=lambda rng: (rng.uniform(-0.5, 0.9, 5).tolist(),),
    hints=("What is ∂z/∂a for one layer z = w·a + a?", "w + 1 for each layer; multiply them."),
    mistakes=(
        (lambda ws: np.prod(ws) + 1, "the 1 belongs to each layer: Π (w_i + 1), not Π w_i + 1."),
        (lambda ws: np.sum(np.add(ws, 1)), "the layers' factors are multiplied, not added."),
        (lambda ws: np.sum(ws) + 1, "these are the paths of length 0 and 1 only: Π (w_i + 1) has all 2ⁿ of them."),
    ),
)
def residual_chain(ws):
    """ws = [w_1, …, w_n] -> ∂a_n/∂a_0 of the chain a_i = w_i·a_{i−1} + a_{i−1}."""
    product = 1.0
    for w in ws:
        product *= w + 1
    return product


def _wide(x, extra, *, stride=2, front=False, fill=0.0):
    x = x[:, :, ::stride, ::stride]
    added = np.full((len(x), extra, *x.shape[2:]), fill)
    return np.concatenate([added, x] if front else [x, added], 1)


@lesson.function(
    inputs=lambda rng: (rng.standard_normal((2, 3, 4, 6)), 5),
    hints=(
        "Half the pixels in each direction, and channels of zeros behind those of x.",
        "x[:, :, ::2, ::2], then np.pad with (0, channels − C) along axis 1.",
    ),
    mistakes=(
        (
            lambda x, channels: _wide(x, channels - x.shape[1], front=True),
            "the zeros are put in front of x's channels: they go behind.",
        ),
        (
            lambda x, channels: _wide(x.reshape(2, 3, 2, 2, 3, 2).mean((3, 5)), channels - x.shape[1], stride=1),
            "this averages 2×2 pixels; option A takes every second one and computes nothing.",
        ),
        (
            lambda x, channels: _wide(x[:, :, 1:, 1:], channels - x.shape[1]),
            "it begins at pixel 1; option A takes pixels 0, 2, 4, ….",
        ),
    ),
    library=(resnet.ZeroPadding,),
)
def shortcut_a(x, channels):
    """Shortcut option A: x (N, C, H, W) -> (N, channels, H/2, W/2): every second pixel, zeros for the new channels."""
    x = x[:, :, ::2, ::2]
    return np.pad(x, ((0, 0), (0, channels - x.shape[1]), (0, 0), (0, 0)))


bottleneck = lesson.predict(
    "bottleneck",
    question="How many weights have the three convolutions of a bottleneck block, 1×1 from 256 to 64 channels, 3×3 "
    "from 64 to 64, 1×1 from 64 to 256?",
    value=69632,
    tolerance=0,
    mistakes=(
        (2 * 256 * 256 * 9, "those are two 3×3 convolutions at 256 channels, which the bottleneck avoids."),
        (2 * 64 * 64 * 9, "those are two 3×3 convolutions at 64 channels: a basic block."),
        (256 * 64 + 64 * 64 * 9, "the 1×1 convolution back to 256 channels is missing."),
        (256 * 64 + 64 * 64 + 64 * 256, "the 3×3 convolution has nine places."),
        (69632 + 256 + 64 + 64 + 64 * 4, "weights of the convolutions only, no norms and biases."),
    ),
    hints=("O·C·KH·KW for each of the three.", "64·256 + 64·64·9 + 256·64"),
    because="16,384 + 36,864 + 16,384; two 3×3 convolutions at 256 channels would have 1,179,648.",
)

one_layer_block = lesson.choose(
    "one_layer_block",
    question="Why has a residual block two layers or more, and not one, y = W·x + x, with no activation in F?",
    options={
        "a": (
            "y = (W + 1)·x is a linear layer again: nothing is gained.",
            "the shortcut is absorbed into the weights.",
        ),
        "b": ("One layer cannot be trained by back-propagation.", "any layer can; that is lesson 4."),
        "c": ("The shapes would not fit.", "they fit as soon as W is square."),
        "d": ("The gradient would vanish.", "its factor is W + 1, as in any residual block."),
    },
    right="a",
    hints=("Write y as a matrix times x.", "W·x + x = (W + 1)·x"),
)


def _parameters(n, *, norm=2, bias=0, extra=0):
    layers, channels = [(3, 16)], 16
    for width in (16, 32, 64):
        for _ in range(n):
            layers += [(channels, width), (width, width)]
            channels = width
    return sum(9 * a * b + norm * b + bias * b for a, b in layers) + 650 + extra


@lesson.function(
    inputs=lambda rng: (int(rng.integers(1, 20)),),
    hints=(
        "A 3×3 convolution from C to O channels has 9·C·O weights, a batch norm of O channels 2·O parameters.",
        "The first convolution of the second and of the third stage reads half as many channels as it writes.",
    ),
    mistakes=(
        (lambda n: _parameters(n, norm=0), "the batch norms are missing: γ and β, 2·O behind every convolution."),
        (lambda n: _parameters(n, norm=1), "a batch norm has two parameters a channel, γ and β."),
        (lambda n: _parameters(n, norm=4), "running mean and variance are no parameters: no gradient, no training."),
        (lambda n: _parameters(n, bias=1), "these convolutions have no biases: batch norm's β does that."),
        (lambda n: _parameters(n, extra=2752), "that is option B, with projections; option A's shortcuts have none."),
        (
            lambda n: _parameters(n) - 9 * 3 * 16 - 2 * 16,
            "the convolution before the blocks is missing, 3 to 16 channels, with its norm.",
        ),
    ),
    library=(resnet.cifar_resnet,),
)
def resnet_parameters(n):
    """n -> the number of parameters of the paper's ResNet with 6n + 2 layers for CIFAR-10: a 3×3 convolution from 3 to
    16 channels; three stages of n blocks of two 3×3 convolutions, at 16, 32 and 64 channels; a linear layer from 64 to
    10, with biases. Batch norm behind each convolution, which has no bias. Shortcuts: option A."""
    total = 9 * 3 * 16 + 2 * 16
    channels = 16
    for width in (16, 32, 64):
        for _ in range(n):
            total += 9 * channels * width + 2 * width
            total += 9 * width * width + 2 * width
            channels = width
    return total + (64 + 1) * 10
