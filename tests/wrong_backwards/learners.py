"""What people wrote who had not seen the diagnosis: shapes of other kinds, factors too many, windows elsewhere."""

import numpy as np

from wrong_backwards.forwards import conv, conv_gw, conv_gx, max_pool, softmax
from wrong_backwards.wrong import Wrong


def _cropped_at_the_corner(gy, x, w):
    """Stride 2, padding 1: the border is cut off at the end alone."""
    g = np.zeros((*x.shape[:2], x.shape[2] + 2, x.shape[3] + 2))
    for n, o, p, q in np.ndindex(gy.shape):
        g[n, :, 2 * p : 2 * p + 3, 2 * q : 2 * q + 3] += gy[n, o, p, q] * w[o]
    return g[:, :, : x.shape[2], : x.shape[3]], None


def _windows(step):
    def backward(gy, x):
        gx = np.zeros(x.shape)
        for n, c, p, q in np.ndindex(gy.shape):
            window = x[n, c, step * p : step * p + 3, step * q : step * q + 3]
            if window.size:
                i, j = np.unravel_index(window.argmax(), window.shape)
                gx[n, c, step * p + i, step * q + j] += gy[n, c, p, q]
        return gx

    return backward


def _without_y(gy, x):
    y = softmax(x)
    return gy - (gy * y).sum(-1, keepdims=True)


LEARNERS = (
    Wrong(
        "conv2d: cropped at the corner",
        conv(2, 1),
        _cropped_at_the_corner,
        ((2, 2, 6, 5), (3, 2, 3, 3)),
        "shifted_by_1 padding_of_0_in_place_of_1",
    ),
    Wrong(
        "conv2d: gw times w",
        conv(1, 1),
        lambda gy, x, w: (conv_gx(gy, x, w, 1, 1), conv_gw(gy, x, w, 1, 1) * w),
        ((2, 2, 5, 4), (3, 2, 3, 3)),
        "multiplied_by_input_1|multiplied_by_x once_more",
        1,
    ),
    Wrong("max pool: windows side by side", max_pool(3, 1), _windows(3), ((2, 2, 5, 5),), "3_apart forward_1_apart"),
    Wrong("max pool: the stride forgotten", max_pool(3, 2), _windows(1), ((2, 2, 5, 5),), "1_apart forward_2_apart"),
    Wrong(
        "softmax: without y",
        softmax,
        _without_y,
        ((3, 4),),
        "`y`_is_missing_in_`y_*_gy`,_and_the_factor_`y`_is_missing_in_`y_*_(gy",
    ),
    Wrong("a sum: shared out", np.add, lambda gy, a, b: (gy / 2, gy / 2), ((3, 4), (3, 4)), "1/2 not_shared_out"),
    Wrong(
        "mean of a map: not expanded",
        lambda x: x.mean((2, 3)),
        lambda gy, x: gy[:, :, None, None] / 20,
        ((2, 3, 4, 5),),
        "not_expanded (2,_3)",
    ),
    Wrong(
        "mean: multiplied by the window",
        lambda x: x.reshape(2, 3, 4).mean(2),
        lambda gy, x: np.repeat(gy, 4, 1) * 4,
        ((2, 12),),
        "16 multiplied_by_4_where_it_must_be_divided",
    ),
    Wrong(
        "cat: all of gy",
        lambda a, b: np.concatenate([a, b], 1),
        lambda gy, a, b: (gy, gy),
        ((2, 2), (2, 5)),
        "too_long 0:2_of_axis_1",
    ),
    Wrong(
        "cat: cut along another axis",
        lambda a, b: np.concatenate([a, b], 1),
        lambda gy, a, b: (gy[:, :, :2], gy[:, :, 2:]),
        ((2, 2, 3), (2, 5, 3)),
        "too_long_along_axis_1 too_short_along_axis_2",
    ),
    Wrong(
        "product: as of matrices",
        np.multiply,
        lambda gy, a, b: (gy @ b.T, gy @ a.T),
        ((3, 4), (3, 4)),
        "matrix_product",
    ),
    Wrong("relu: elements dropped", lambda x: np.maximum(x, 0), lambda gy, x: gy[x > 0], ((4, 5),), "np.where"),
    Wrong("pad: an empty slice", lambda x: x * 2, lambda gy, x: gy[0:-0] * 2, ((4, 5),), "empty"),
)
