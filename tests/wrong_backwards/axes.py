"""The wrong axis, window, divisor or index: reductions, convolutions, pooling."""

import numpy as np

from wrong_backwards.forwards import conv, conv_gw, conv_gx, softmax, windows
from wrong_backwards.wrong import Wrong

SQUARE = ((4, 4),)


def standardised(x):
    return (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)


def means_astray(gy, x):
    y = standardised(x)
    return (gy - gy.mean(1) - y * (gy * y).mean(1)) / x.std(1, keepdims=True)


def dilated(x, w):
    return np.einsum("ncpqij,ocij->nopq", windows(x, 5, 1, 0)[..., ::2, ::2], w)


def max_2x3(x):
    return x.reshape(*x.shape[:2], 2, 2, 2, 3).max((3, 5))


def wrong_width(gy, x):
    """The window's index divided by its height."""
    gx = np.zeros_like(x)
    for n, c, p, q in np.ndindex(gy.shape):
        row, column = divmod(int(x[n, c, 2 * p : 2 * p + 2, 3 * q : 3 * q + 3].argmax()), 2)
        gx[n, c, min(2 * p + row, 3), 3 * q + column] += gy[n, c, p, q]
    return gx


AXES = (
    Wrong(
        "layer norm: no keepdims",
        standardised,
        means_astray,
        ((5, 5),),
        "a_mean_is_spread_along_other_axes keepdims=True",
    ),
    Wrong(
        "softmax: no keepdims",
        softmax,
        lambda gy, x: softmax(x) * (gy - (gy * softmax(x)).sum(1)),
        SQUARE,
        "keepdims missing",
    ),
    Wrong("sum: spread along rows", lambda x: x.sum(1), lambda gy, x: gy * np.ones_like(x), SQUARE, "axis_0 [:,_None]"),
    Wrong(
        "logsumexp: no keepdims", lambda x: np.log(np.exp(x).sum(1)), lambda gy, x: softmax(x) * gy, SQUARE, "keepdims"
    ),
    Wrong(
        "scale: summed over the wrong axis",
        np.multiply,
        lambda gy, a, b: (None, (gy * a).sum(1)),
        ((4, 4), (4,)),
        "summed axis_1 axis_0",
        1,
    ),
    Wrong(
        "channel bias: wrong axes",
        lambda x, b: x + b[:, None, None],
        lambda gy, x, b: (None, gy.sum((1, 2, 3))),
        ((3, 3, 2, 2), (3,)),
        "(1,_2,_3) (0,_2,_3)",
        1,
    ),
    Wrong(
        "conv2d: channel 0 for all",
        conv(1, 0),
        lambda gy, x, w: (conv_gx(gy, x, np.broadcast_to(w[:, :1], w.shape)), None),
        ((2, 3, 4, 4), (2, 3, 3, 3)),
        "[:,_0,_:,_:] index_0",
    ),
    Wrong(
        "conv2d: gw without the dilation",
        dilated,
        lambda gy, x, w: (None, conv_gw(gy, x, w)),
        ((1, 2, 7, 7), (2, 2, 3, 3)),
        "dilation ignored",
        1,
    ),
    Wrong(
        "conv2d: gy reshaped, not transposed",
        conv(1, 0),
        lambda gy, x, w: (conv_gx(gy.reshape(-1, 3).reshape(2, 3, 3, 3).transpose(0, 3, 1, 2), x, w), None),
        ((2, 2, 5, 5), (3, 2, 3, 3)),
        "gy reshaped_where_it_should_have_been_transposed (0,_2,_3,_1)",
    ),
    Wrong("max_pool: wrong width", max_2x3, wrong_width, ((2, 3, 4, 6),), "divided_by_2 width_3"),
    Wrong(
        "max: of everything",
        lambda x: x.max(1, keepdims=True),
        lambda gy, x: gy * (x == x.max()),
        ((4, 5),),
        "maximum_of_all without_its_axis",
    ),
    Wrong(
        "avg_pool: height squared",
        lambda x: x.reshape(2, 2, 2, 2, 2, 3).mean((3, 5)),
        lambda gy, x: gy.repeat(2, 2).repeat(3, 3) / 4,
        ((2, 2, 4, 6),),
        "divided_by_4 in_place_of_6 axis_2,_squared",
    ),
    Wrong(
        "global_avg_pool: height only",
        lambda x: x.mean((2, 3)),
        lambda gy, x: np.ones_like(x) * gy[:, :, None, None] / 4,
        ((2, 3, 4, 5),),
        "divided_by_4 in_place_of_20",
    ),
)
