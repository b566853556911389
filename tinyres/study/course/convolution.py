"""Lesson 5: convolution: six loops, im2col, its two gradients, and 1×1."""

import numpy as np

from tinyres.ops.conv2d import Conv2d
from tinyres.study.course.lesson import Lesson
from tinyres_kernels.array.conv2d import conv2d_grad_w as array_grad_w
from tinyres_kernels.array.conv2d import conv2d_grad_x as array_grad_x
from tinyres_kernels.array.conv2d import im2col as array_im2col
from tinyres_kernels.array.conv2d import windows_of
from tinyres_kernels.reference.conv2d import conv2d as reference_conv2d
from tinyres_kernels.reference.conv2d import conv2d_grad_w as reference_grad_w
from tinyres_kernels.reference.conv2d import conv2d_grad_x as reference_grad_x
from tinyres_kernels.reference.conv2d import places
from tinyres_kernels.windows import output_size as windows_output_size

lesson = Lesson(5, "convolution")


def _draw_sizes(rng):
    return tuple(int(n) for n in (rng.integers(10, 40), rng.integers(2, 6), rng.integers(2, 4), rng.integers(1, 3)))


@lesson.function(
    inputs=_draw_sizes,
    hints=(
        "With padding there are length + 2·padding places. Where does the last window start?",
        "(length + 2 * padding - kernel) // stride + 1",
    ),
    mistakes=(
        (
            lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1,
            "rounded up: that counts a window that hangs over the edge.",
        ),
        (lambda n, k, s, p: (n + 2 * p - k + 1) // s, "the + 1 comes after the division: (…) // stride + 1."),
        (lambda n, k, s, p: (n + 2 * p) // s, "the kernel is forgotten: the last window must fit as a whole."),
    ),
    library=(windows_output_size,),
)
def output_size(length, kernel, stride, padding):
    """How many windows of `kernel` values fit into `length` values with `padding` on both sides, `stride` apart."""
    return (length + 2 * padding - kernel) // stride + 1


def _conv(x, w, stride, padding):
    return reference_conv2d(x, w, (stride, stride), (padding, padding))


def _no_padding(x, w, stride, padding):
    return _conv(x, w, stride, 0)


def _one_channel(x, w, stride, padding):
    return _conv(x[:, -1:], w[:, -1:], stride, padding)


def _draw_convolution(rng):
    k = int(rng.integers(0, 2))
    return rng.standard_normal((2, 3, 6, 5)), rng.standard_normal((2, 3, 3, 3)), 2 - k, k


@lesson.function(
    inputs=_draw_convolution,
    hints=(
        "Pad x first. For each output (n, o, p, q): the window of x that begins at row p·stride, column q·stride, "
        "times w[o], summed.",
        "y[n, o, p, q] = (padded[n, :, p*stride : p*stride + KH, q*stride : q*stride + KW] * w[o]).sum()",
    ),
    mistakes=(
        (
            lambda x, w, s, p: _conv(x, w[:, :, ::-1, ::-1], s, p),
            "the kernel is flipped: that is a convolution in the mathematicians' sense; here, as in every framework, "
            "x[p + i] meets w[i].",
        ),
        (_no_padding, "the padding is left out: zeros around x."),
        (
            lambda x, w, s, p: _conv(x, w, 1, p),
            "the stride is ignored: the window starts at row p·stride, column q·stride.",
        ),
        (
            lambda x, w, s, p: _conv(x, w.transpose(0, 1, 3, 2), s, p),
            "the kernel is transposed: rows of w go with rows of x.",
        ),
        (_one_channel, "only the last channel counts: the channels must be added up (+=, not =)."),
    ),
    library=(reference_conv2d, places),
)
def conv2d_loops(x, w, stride, padding):
    """x (N, C, H, W), w (O, C, KH, KW), two numbers -> y (N, O, P, Q), zeros around x; loops are welcome."""
    N, _, H, W = x.shape
    O, _, KH, KW = w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    P, Q = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    y = np.zeros((N, O, P, Q))
    for n, o, p, q in np.ndindex(y.shape):
        window = padded[n, :, p * stride : p * stride + KH, q * stride : q * stride + KW]
        y[n, o, p, q] = (window * w[o]).sum()
    return y


def _windows(x, k):
    return np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))  # (N, C, P, Q, K, K)


def _rows(x, k, order, pixels=3):
    columns = _windows(x, k).transpose(order)
    return columns.reshape(int(np.prod(columns.shape[:pixels])), -1)


@lesson.function(
    inputs=lambda rng: (rng.standard_normal((2, 3, 5, 4)), 3),
    hints=(
        "One row for each output pixel (n, p, q); in it, the window x[n, :, p:p+k, q:q+k], flattened as it lies.",
        "[x[n, :, p:p+k, q:q+k].ravel() for n … for p … for q …], stacked. q runs fastest.",
    ),
    mistakes=(
        (
            lambda x, k: _rows(x, k, (0, 2, 3, 4, 5, 1)),
            "the columns are in the order (i, j, c); here it is (c, i, j), as in w.reshape(O, −1).",
        ),
        (
            lambda x, k: _rows(x, k, (0, 2, 3, 1, 5, 4)),
            "rows and columns of each window are swapped: (c, i, j), j fastest.",
        ),
        (
            lambda x, k: _rows(x, k, (0, 3, 2, 1, 4, 5)),
            "the pixels are in the order (n, q, p); here q runs fastest: for p … for q ….",
        ),
        (
            lambda x, k: _rows(x, k, (2, 3, 0, 1, 4, 5)),
            "the images run fastest: the order of rows is (n, p, q), n outermost.",
        ),
        (
            lambda x, k: _rows(x, k, (0, 2, 3, 1, 4, 5)).T,
            "it is transposed: one *row* for each output pixel.",
        ),
        (
            lambda x, k: _windows(x, k).reshape(-1, x.shape[1] * k * k),
            "reshaped without moving the channel axis: (N, C, P, Q, k, k), and C must go behind Q first.",
        ),
    ),
    library=(windows_of, array_im2col),
)
def im2col(x, k):
    """x (N, C, H, W), k the kernel's size; stride 1, no padding -> rows (N·P·Q, C·k·k), one for each output pixel.

    The rows in the order (n, p, q), the columns in the order (c, i, j).
    """
    N, _, H, W = x.shape
    P, Q = H - k + 1, W - k + 1
    rows = [x[n, :, p : p + k, q : q + k].ravel() for n, p, q in np.ndindex(N, P, Q)]
    return np.stack(rows)


def _draw_gradient(rng):
    stride, padding = ((1, 0), (1, 1), (2, 1), (2, 0))[int(rng.integers(4))]
    return rng.standard_normal((3, 2, 6, 5)), rng.standard_normal((4, 2, 3, 3)), stride, padding


@lesson.backward(
    forward=_conv,
    gradients="x",
    inputs=_draw_gradient,
    hints=(
        "Wherever forward multiplied x[…] by w[…] for y[n, o, p, q], add gy[n, o, p, q]·w[…] to gx[…]. Padding gets "
        "a gradient too: cut it off at the end.",
        "gpadded[n, :, p*stride : p*stride + KH, q*stride : q*stride + KW] += gy[n, o, p, q] * w[o], for all (n, o, p, "
        "q).",
    ),
    library=(Conv2d.backward, reference_grad_x, array_grad_x),
)
def conv2d_grad_x(gy, x, w, stride, padding):
    """y = conv2d(x, w), as in conv2d_loops. gy (N, O, P, Q), x (N, C, H, W), w (O, C, KH, KW) -> gx (N, C, H, W)"""
    N, C, H, W = x.shape
    KH, KW = w.shape[2:]
    gpadded = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    for n, o, p, q in np.ndindex(gy.shape):
        gpadded[n, :, p * stride : p * stride + KH, q * stride : q * stride + KW] += gy[n, o, p, q] * w[o]
    return gpadded[:, :, padding : padding + H, padding : padding + W]


@lesson.backward(
    forward=_conv,
    gradients="w",
    inputs=_draw_gradient,
    hints=(
        "Each weight was used at every output pixel of every image: add up what all of them say.",
        "gw[o] += gy[n, o, p, q] * padded[n, :, p*stride : p*stride + KH, q*stride : q*stride + KW]",
    ),
    library=(Conv2d.backward, reference_grad_w, array_grad_w),
)
def conv2d_grad_w(gy, x, w, stride, padding):
    """y = conv2d(x, w), as in conv2d_loops. gy (N, O, P, Q), x (N, C, H, W), w (O, C, KH, KW) -> gw (O, C, KH, KW)"""
    KH, KW = w.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    gw = np.zeros(w.shape)
    for n, o, p, q in np.ndindex(gy.shape):
        gw[o] += gy[n, o, p, q] * padded[n, :, p * stride : p * stride + KH, q * stride : q * stride + KW]
    return gw


@lesson.function(
    inputs=lambda rng: (rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((3, 3))),
    hints=(
        "At each pixel the C channels are a vector; w is a linear layer for it.",
        "np.einsum('nchw,oc->nohw', x, w)",
    ),
    mistakes=(
        (
            lambda x, w: np.einsum("nchw,co->nohw", x, w),
            "w is used transposed: w[o, c] weighs input channel c for output channel o.",
        ),
        (lambda x, w: x @ np.ones((5, 5)), "the sum runs over a row of pixels; it must run over the channels."),
        (
            lambda x, w: np.einsum("nchw,oc->nhwo", x, w),
            "the channels come last: bring them back to place 1, (N, O, H, W).",
        ),
        (
            lambda x, w: x * w.sum(1)[:, None, None],
            "each output channel sees its own input channel alone; it must see all of them.",
        ),
        (
            lambda x, w: (x.transpose(0, 2, 3, 1) @ w.T).reshape(2, 3, 4, 5),
            "(N, H, W, O) was *reshaped* to (N, O, H, W), which mixes values up: transpose it, (0, 3, 1, 2).",
        ),
    ),
    library=(Conv2d,),
)
def one_by_one(x, w):
    """A 1×1 convolution: x (N, C, H, W), w (O, C) -> y (N, O, H, W), the same linear layer at each pixel."""
    return np.einsum("nchw,oc->nohw", x, w)


conv_parameters = lesson.predict(
    "conv_parameters",
    question="How many parameters has a 3×3 convolution from 64 to 128 channels, without bias?",
    value=128 * 64 * 9,
    tolerance=0,
    mistakes=(
        (128 * 9, "every output channel has a 3×3 kernel for *each* of the 64 input channels."),
        (64 * 9, "one such kernel for each of the 128 output channels."),
        (64 * 128, "that is a 1×1 convolution: times the nine places of the kernel."),
        (64 * 128 * 9 + 128, "without bias: 128 less."),
        (64 * 128 * 3, "3×3 is nine places, not three."),
    ),
    hints=("w has the shape (O, C, KH, KW).", "128·64·3·3"),
    because="w is (O, C, KH, KW) = (128, 64, 3, 3).",
)


@lesson.bug(
    question="The gradient of w for a convolution with stride 1 and no padding. Which line is wrong?",
    bug="gw[o] = ",
    mended="gw[o] += gy[n, o, p, q] * window",
    innocent={
        "def ": "of w, only the shape is needed.",
        "KH, KW = ": "the kernel's size are w's last two axes.",
        "np.zeros": "the sum begins at 0.",
        "for ": "every output value of every image has a say.",
        "window = ": "that is what y[n, o, p, q] had seen.",
        "return": "it has the shape of w.",
    },
    hints=(
        "How many outputs does one weight take part in?",
        "What has become of the windows before the last?",
    ),
)
def conv_bug(gy, x, w_shape):
    KH, KW = w_shape[2:]
    gw = np.zeros(w_shape)
    for n, o, p, q in np.ndindex(gy.shape):
        window = x[n, :, p : p + KH, q : q + KW]
        gw[o] = gy[n, o, p, q] * window
    return gw
