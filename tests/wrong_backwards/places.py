"""Reductions, and what only moves values."""

import numpy as np

from wrong_backwards.forwards import MASK, ROWS, X, mean, put
from wrong_backwards.wrong import Wrong

PLACES = (
    Wrong("mean: not divided", lambda x: x.mean(1), lambda gy, x: gy[:, None] * np.ones_like(x), X, "not divided 4"),
    Wrong("sum: not expanded", lambda x: x.sum(1), lambda gy, x: gy[:, None], X, "expanded"),
    Wrong("max: every element", lambda x: x.max(1), lambda gy, x: gy[:, None] * np.ones_like(x), X, "maximum every"),
    Wrong("reshape: not undone", lambda x: x.reshape(4, 3), lambda gy, x: gy, X, "reshape"),
    Wrong("transpose: reshaped", lambda x: x.T, lambda gy, x: gy.reshape(x.shape), X, "transpose"),
    Wrong(
        "permute: same again",
        lambda x: x.transpose(1, 2, 0),
        lambda gy, x: gy.transpose(1, 2, 0),
        ((3, 3, 3),),
        "inverse",
    ),
    Wrong("slice: no zeros", lambda x: x[1:], lambda gy, x: gy, X, "part zeros"),
    Wrong("slice: step", lambda x: x[:, ::2], lambda gy, x: put(x.shape, np.s_[:, :2], gy), X, "wrong_places"),
    Wrong(
        "slice: wrong place",
        lambda x: x[1:3],
        lambda gy, x: put(x.shape, np.s_[:2], gy),
        ((4, 3),),
        "shifted|wrong place",
    ),
    Wrong(
        "cat: order swapped",
        lambda a, b: np.concatenate([a, b]),
        lambda gy, a, b: (gy[3:], gy[:3]),
        ((3, 4), (3, 4)),
        "swapped",
    ),
    Wrong("pad: border kept", lambda x: np.pad(x, 1), lambda gy, x: gy, X, "padding cropped"),
    Wrong("pad: wrong side", lambda x: np.pad(x, 1), lambda gy, x: gy[:-2, :-2], X, "shifted|wrong place"),
    Wrong("dropout: no mask", lambda x: x * MASK / 0.6, lambda gy, x: gy, ((4, 5),), "mask missing"),
    Wrong("dropout: scale forgotten", lambda x: x * MASK / 0.6, lambda gy, x: gy * MASK, ((4, 5),), "scale"),
    Wrong(
        "dropout: fresh mask",
        lambda x: x * MASK / 0.6,
        lambda gy, x: gy * (np.random.random((4, 5)) > 0.4) / 0.6,
        ((4, 5),),
        "random",
    ),
    Wrong("gather: assigned", lambda x: x[ROWS], lambda gy, x: put(x.shape, ROWS, gy), ((4, 3),), "assigned added"),
    Wrong("var: mean not subtracted", lambda x: x.var(), lambda gy, x: gy * 2 * x / x.size, X, "mean|constant"),
    Wrong(
        "std: not halved", lambda x: x.std(1), lambda gy, x: (gy / x.std(1))[:, None] * 2 * (x - mean(x, 1)) / 4, X, "2"
    ),
    Wrong("std: no 1/std", lambda x: x.std(1), lambda gy, x: gy[:, None] * (x - mean(x, 1)) / 4, X, "y"),
    Wrong("prod: y", lambda x: x.prod(1), lambda gy, x: (gy * x.prod(1))[:, None] * np.ones_like(x), X, "x"),
    Wrong("cumsum: forwards", lambda x: x.cumsum(1), lambda gy, x: gy.cumsum(1), X, "cumulative direction"),
    Wrong("flip: not undone", lambda x: x[:, ::-1].copy(), lambda gy, x: gy, X, "flip"),
    Wrong(
        "roll: same direction",
        lambda x: np.roll(x, 1, 1),
        lambda gy, x: np.roll(gy, 1, 1),
        ((3, 5),),
        "inverse|back|shifted",
    ),
    Wrong(
        "stack: sliced along the wrong axis",
        lambda a, b: np.stack([a, b], 1),
        lambda gy, a, b: (gy[0], gy[1]),
        ((2, 3), (2, 3)),
        "wrong_place|place|lost",
    ),
    Wrong(
        "cat: offset off by one",
        lambda a, b: np.concatenate([a, b], 1),
        lambda gy, a, b: (gy[:, 1:4], gy[:, 3:]),
        ((2, 3), (2, 4)),
        "shifted|place",
    ),
    Wrong("tile: first copy only", lambda x: np.tile(x, (3, 1)), lambda gy, x: gy[:3], X, "lost|only"),
    Wrong("maximum: both", np.maximum, lambda gy, a, b: (gy, gy), ((4, 4), (4, 4)), "mask"),
    Wrong(
        "where: mask inverted",
        lambda a, b: np.where(MASK, a, b),
        lambda gy, a, b: (gy * ~MASK, gy * MASK),
        ((4, 5), (4, 5)),
        "swapped|inverted",
    ),
    Wrong(
        "max: divided by n", lambda x: x.max(1), lambda gy, x: (x == x.max(1, keepdims=True)) * gy[:, None] / 4, X, "4"
    ),
)
