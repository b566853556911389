"""Backward passes as learners get them wrong, each with the words that its diagnosis must contain.

    Wrong("relu: no mask", relu, lambda gy, x: gy, X, "mask")

forward takes the inputs; backward takes gy and the inputs, and returns the gradient of the inputs, or of the only one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from tinyres.diagnosis import Evidence


class Wrong(NamedTuple):
    name: str
    forward: Callable[..., np.ndarray]
    backward: Callable[..., Any]
    inputs: tuple  # shapes, or arrays
    words: str  # all of them must be in the diagnosis; a|b: one of the two; a_b: with a space
    index: int = 0

    def evidence(self) -> Evidence:
        draws = np.random.default_rng(crc32(self.name.encode()))
        inputs = tuple(
            draws.standard_normal(i) + 0.1 if isinstance(i, tuple) else np.array(i) for i in self.inputs
        )

        def backward(gy):
            returned = self.backward(gy, *inputs)
            return returned if isinstance(returned, tuple) else (returned,) * len(inputs)

        return Evidence(self.name.split(":")[0], self.forward, backward, inputs, self.index)


def positive(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.5, 3.0, shape)


# ---- what forward computes -------------------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def log_softmax(x):
    return np.log(softmax(x))


def windows(x, k, stride, pad, value=0.0):
    """(N, C, P, Q, k, k)"""
    x = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)], constant_values=value)
    return np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::stride, ::stride]


def conv(stride=1, pad=0):
    def forward(x, w, *b):
        y = np.einsum("ncpqij,ocij->nopq", windows(x, w.shape[2], stride, pad), w)
        return y + b[0][:, None, None] if b else y

    return forward


def conv_gx(gy, x, w, stride=1, pad=0, origin=None):
    """Every gy·w added back where its x was read; origin: the padding that is cropped off at the end."""
    n, c, h, width = x.shape
    k = w.shape[2]
    gx = np.zeros((n, c, h + 2 * pad + k + 8, width + 2 * pad + k + 8))
    for p in range(gy.shape[2]):
        for q in range(gy.shape[3]):
            gx[:, :, p * stride : p * stride + k, q * stride : q * stride + k] += np.einsum(
                "no,ocij->ncij", gy[:, :, p, q], w
            )
    start = pad if origin is None else origin
    return gx[:, :, start : start + h, start : start + width]


def conv_gw(gy, x, w, stride=1, pad=0):
    win = windows(x, w.shape[2], stride, pad)[:, :, : gy.shape[2], : gy.shape[3]]
    return np.einsum("nopq,ncpqij->ocij", gy, win)


def max_pool(k, stride):
    return lambda x: windows(x, k, stride, 0).max((4, 5))


def avg_pool(k, stride, pad=0):
    return lambda x: windows(x, k, stride, pad).mean((4, 5))


def pooled_back(x, k, stride, share, pad=0, assign=False):
    """share(window, p, q) -> what each element of the window (N, C, k, k) gets."""
    padded = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    gx = np.zeros_like(padded)
    for p in range((padded.shape[2] - k) // stride + 1):
        for q in range((padded.shape[3] - k) // stride + 1):
            at = np.s_[:, :, p * stride : p * stride + k, q * stride : q * stride + k]
            part = share(padded[at], p, q)
            if assign:
                gx[at] = part
            else:
                gx[at] += part
    return gx[:, :, pad : gx.shape[2] - pad, pad : gx.shape[3] - pad]


def is_max(window):
    return window == window.max((2, 3), keepdims=True)


EPS = 1e-5


def norm(axes, shape):
    def forward(x, gamma, beta):
        xhat = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + EPS)
        return gamma.reshape(shape) * xhat + beta.reshape(shape)

    return forward


def norm_parts(axes, x, ddof=0, eps=EPS):
    std = np.sqrt(x.var(axes, keepdims=True, ddof=ddof) + eps)
    return std, (x - x.mean(axes, keepdims=True)) / std


def mean(a, axes):
    return a.mean(axes, keepdims=True)


B2, B1, LN = (0, 2, 3), (0,), (1,)
batch_norm2d, batch_norm1d, layer_norm = norm(B2, (1, -1, 1, 1)), norm(B1, (1, -1)), norm(LN, (1, -1))


def channels(a):
    return a[:, None, None]


def bn(change):
    """Batch norm 2d with a backward of its own: change(g, xhat, std, gamma) -> gx, g = gy·gamma."""

    def backward(gy, x, gamma, beta):
        std, xhat = norm_parts(B2, x)
        gx = change(gy * channels(gamma), xhat, std, channels(gamma))
        return gx, (gy * xhat).sum(B2), gy.sum(B2)

    return backward


LABELS = np.array([2, 0, 1, 2])
ONEHOT = np.eye(3)[LABELS]
MASK = np.random.default_rng(1).random((4, 5)) > 0.4
ROWS = np.array([2, 0, 2, 1, 2])


def cross_entropy(x):
    return -(log_softmax(x) * ONEHOT).sum() / len(x)


def put(shape, index, values):
    out = np.zeros(shape)
    out[index] = values
    return out


X = ((3, 4),)
IMAGE = ((2, 3, 5, 5),)
CONV = ((2, 2, 5, 5), (2, 2, 3, 3))
CONV3 = ((2, 2, 6, 6), (3, 2, 3, 3))
BN = ((3, 2, 3, 4), (2,), (2,))
PLANE = ((2, 2, 4, 4),)
LINEAR = ((4, 3), (3, 3), (3,))


def linear(x, w, b):
    return x @ w.T + b


def relu(x):
    return np.maximum(x, 0)


def leaky(x):
    return np.where(x > 0, x, 0.1 * x)


FIRST = (
    # relu and leaky relu
    Wrong("relu: no mask", relu, lambda gy, x: gy, X, "mask missing"),
    Wrong("relu: inverted", relu, lambda gy, x: gy * (x <= 0), X, "mask inverted"),
    Wrong("relu: mask of gy", relu, lambda gy, x: gy * (gy > 0), X, "mask gy"),
    Wrong("relu: both masks", relu, lambda gy, x: gy * (gy > 0) * (x > 0), X, "mask gy"),
    Wrong("relu: times x", relu, lambda gy, x: gy * relu(x), X, "x|y"),
    Wrong("relu: gy ignored", relu, lambda gy, x: (x > 0) * 1.0, X, "ignores gy"),
    Wrong("leaky relu: slope forgotten", leaky, lambda gy, x: gy * (x > 0), X, "x < 0 slope"),
    Wrong("leaky relu: inverse slope", leaky, lambda gy, x: gy * np.where(x > 0, 1, 10.0), X, "x < 0"),
    # linear and matmul
    Wrong("linear: W for W.T", linear, lambda gy, x, w, b: (gy @ w.T, gy.T @ x, gy.sum(0)), LINEAR, "transposed"),
    Wrong("linear: gW transposed", linear, lambda gy, x, w, b: (gy @ w, x.T @ gy, gy.sum(0)), LINEAR, "transposed", 1),
    Wrong("linear: gb averaged", linear, lambda gy, x, w, b: (gy @ w, gy.T @ x, gy.mean(0)), LINEAR, "averag 4", 2),
    Wrong("linear: gb not summed", linear, lambda gy, x, w, b: (gy @ w, gy.T @ x, gy), LINEAR, "not summed", 2),
    Wrong("linear: gb first row", linear, lambda gy, x, w, b: (gy @ w, gy.T @ x, gy[0]), LINEAR, "sum lost|first", 2),
    Wrong(
        "linear: gW first sample", linear, lambda gy, x, w, b: (gy @ w, gy[:1].T @ x[:1], gy), LINEAR, "first sample|lost", 1
    ),
    Wrong("linear: no .T", linear, lambda gy, x, w, b: (gy @ w.T, gy.T @ x, gy.sum(0)), ((4, 3), (5, 3), (5,)), "transpose"),
    Wrong("matmul: wrong order", np.matmul, lambda gy, a, b: (b.T @ gy, a.T @ gy), ((3, 3), (3, 3)), "order"),
    Wrong("matmul: b for b.T", np.matmul, lambda gy, a, b: (gy @ b, a.T @ gy), ((4, 3), (3, 3)), "transposed"),
    Wrong("matmul: swapped", np.matmul, lambda gy, a, b: (a.T @ gy, gy @ b.T), ((3, 3), (3, 3)), "swapped"),
    # conv2d
    Wrong(
        "conv2d: kernel flipped",
        conv(1, 1),
        lambda gy, x, w: (conv_gx(gy, x, w[:, :, ::-1, ::-1], 1, 1), conv_gw(gy, x, w, 1, 1)),
        CONV,
        "flipped kernel",
    ),
    Wrong(
        "conv2d: channels swapped",
        conv(1, 1),
        lambda gy, x, w: (conv_gx(gy, x, w.swapaxes(0, 1), 1, 1), None),
        CONV,
        "channels swapped",
    ),
    Wrong(
        "conv2d: gw channels swapped",
        conv(),
        lambda gy, x, w: (None, conv_gw(gy, x, w).swapaxes(0, 1)),
        CONV,
        "channels swapped",
        1,
    ),
    Wrong(
        "conv2d: gw flipped", conv(), lambda gy, x, w: (None, conv_gw(gy, x, w)[:, :, ::-1, ::-1]), CONV, "flipped", 1
    ),
    Wrong("conv2d: gw averaged", conv(), lambda gy, x, w: (None, conv_gw(gy, x, w) / len(x)), CONV3, "averaged batch", 1),
    Wrong(
        "conv2d: gw one sample", conv(), lambda gy, x, w: (None, conv_gw(gy[:1], x[:1], w)), CONV3, "sample lost", 1
    ),
    Wrong(
        "conv2d: stride ignored", conv(2, 1), lambda gy, x, w: (conv_gx(gy, x, w, 1, 1), None), CONV3, "stride ignored"
    ),
    Wrong(
        "conv2d: stride ignored in gw",
        conv(2, 1),
        lambda gy, x, w: (None, conv_gw(gy, x, w, 1, 1)),
        CONV3,
        "stride ignored",
        1,
    ),
    Wrong(
        "conv2d: padding cropped wrongly",
        conv(1, 1),
        lambda gy, x, w: (conv_gx(gy, x, w, 1, 1, origin=0), None),
        CONV3,
        "padding shifted",
    ),
    Wrong(
        "conv2d: border dropped",
        conv(2, 0),
        lambda gy, x, w: (np.pad(conv_gx(gy, x, w, 2)[:, :, :4, :4], [(0, 0), (0, 0), (0, 1), (0, 1)]), None),
        ((2, 2, 5, 5), (3, 2, 3, 3)),
        "last row column 0",
    ),
    Wrong(
        "conv2d: padding kept",
        conv(1, 1),
        lambda gy, x, w: (conv_gx(gy, np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)]), w, 1, 0), None),
        CONV3,
        "padding cropped",
    ),
    Wrong(
        "conv2d: gb over batch only",
        conv(),
        lambda gy, x, w, b: (None, None, gy.sum((0, 3, 2)) / gy.shape[2]),
        (*CONV3, (3,)),
        "4",
        2,
    ),
    # pooling
    Wrong(
        "max_pool: all of the window",
        max_pool(2, 2),
        lambda gy, x: pooled_back(x, 2, 2, lambda w, p, q: np.ones_like(w) * gy[:, :, p : p + 1, q : q + 1]),
        PLANE,
        "every element window maximum",
    ),
    Wrong(
        "max_pool: averaged",
        max_pool(2, 2),
        lambda gy, x: pooled_back(x, 2, 2, lambda w, p, q: np.ones_like(w) * gy[:, :, p : p + 1, q : q + 1] / 4),
        PLANE,
        "average",
    ),
    Wrong(
        "max_pool: first element", max_pool(2, 2), lambda gy, x: put(x.shape, np.s_[:, :, ::2, ::2], gy), PLANE, "first"
    ),
    Wrong(
        "max_pool: overlaps assigned",
        max_pool(3, 1),
        lambda gy, x: pooled_back(
            x, 3, 1, lambda w, p, q: is_max(w) * gy[:, :, p : p + 1, q : q + 1], assign=True
        ),
        IMAGE,
        "last assigned overlap",
    ),
    Wrong(
        "avg_pool: not divided",
        avg_pool(2, 2),
        lambda gy, x: pooled_back(x, 2, 2, lambda w, p, q: np.ones_like(w) * gy[:, :, p : p + 1, q : q + 1]),
        PLANE,
        "not divided window",
    ),
    Wrong(
        "avg_pool: count at the edges",
        avg_pool(3, 2, 1),
        lambda gy, x: pooled_back(
            x,
            3,
            2,
            lambda w, p, q: np.ones_like(w) * gy[:, :, p : p + 1, q : q + 1] / ((2 if p == 0 else 3) * (2 if q == 0 else 3)),
            pad=1,
        ),
        ((2, 1, 6, 6),),
        "edges",
    ),
    Wrong(
        "global_avg_pool: not divided",
        lambda x: x.mean((2, 3)),
        lambda gy, x: np.broadcast_to(gy[:, :, None, None], x.shape),
        IMAGE,
        "not divided 25",
    ),
    Wrong(
        "global_avg_pool: not expanded", lambda x: x.mean((2, 3)), lambda gy, x: gy / 25, IMAGE, "expanded"
    ),
    # batch norm and layer norm
    Wrong(
        "batch_norm: mean term missing",
        batch_norm2d,
        bn(lambda g, xhat, std, gamma: (g - xhat * mean(g * xhat, B2)) / std),
        BN,
        "missing mean",
    ),
    Wrong(
        "batch_norm: variance term missing",
        batch_norm2d,
        bn(lambda g, xhat, std, gamma: (g - mean(g, B2)) / std),
        BN,
        "missing variance",
    ),
    Wrong(
        "batch_norm: both missing",
        batch_norm2d,
        bn(lambda g, xhat, std, gamma: g / std),
        BN,
        "mean variance treated as constants",
    ),
    Wrong(
        "batch_norm: gamma forgotten",
        batch_norm2d,
        bn(lambda g, xhat, std, gamma: (g - mean(g, B2) - xhat * mean(g * xhat, B2)) / std / gamma),
        BN,
        "gamma forgotten",
    ),
    Wrong(
        "batch_norm: 1/std forgotten",
        batch_norm2d,
        bn(lambda g, xhat, std, gamma: g - mean(g, B2) - xhat * mean(g * xhat, B2)),
        BN,
        "1/std forgotten",
    ),
    Wrong(
        "batch_norm: variance for std",
        batch_norm2d,
        bn(lambda g, xhat, std, gamma: (g - mean(g, B2) - xhat * mean(g * xhat, B2)) / std**2),
        BN,
        "variance in place of std",
    ),
    Wrong(
        "batch_norm: sums for means",
        batch_norm2d,
        bn(lambda g, xhat, std, gamma: (g - 36 * mean(g, B2) - 36 * xhat * mean(g * xhat, B2)) / std),
        BN,
        "not divided by 36",
    ),
    Wrong(
        "batch_norm: n − 1",
        batch_norm2d,
        lambda gy, x, gamma, beta: (
            (lambda std, xhat, g: (g - mean(g, B2) - xhat * mean(g * xhat, B2)) / std)(
                *norm_parts(B2, x, ddof=1), gy * channels(gamma)
            ),
        )
        * 3,
        BN,
        "n − 1|unbiased",
    ),
    Wrong(
        "batch_norm: eps forgotten",
        batch_norm2d,
        lambda gy, x, gamma, beta: (
            (lambda std, xhat, g: (g - mean(g, B2) - xhat * mean(g * xhat, B2)) / std)(
                *norm_parts(B2, x, eps=0), gy * channels(gamma)
            ),
        )
        * 3,
        (0.1 * np.random.default_rng(3).standard_normal((3, 2, 3, 4)), (2,), (2,)),
        "eps forgotten",
    ),
    Wrong(
        "batch_norm: ggamma with x",
        batch_norm2d,
        lambda gy, x, gamma, beta: (None, (gy * x).sum(B2), gy.sum(B2)),
        BN,
        "x̂ input_0 mean",
        1,
    ),
    Wrong(
        "batch_norm: gbeta averaged",
        batch_norm2d,
        lambda gy, x, gamma, beta: (None, None, gy.mean(B2)),
        BN,
        "averaged 36",
        2,
    ),
    Wrong(
        "batch_norm1d: mean term missing",
        batch_norm1d,
        lambda gy, x, gamma, beta: (
            (lambda std, xhat, g: (g - xhat * mean(g * xhat, B1)) / std)(*norm_parts(B1, x), gy * gamma),
        )
        * 3,
        ((6, 3), (3,), (3,)),
        "missing mean",
    ),
    Wrong(
        "layer_norm: wrong axis",
        layer_norm,
        lambda gy, x, gamma, beta: (
            (lambda std, xhat, g: (g - mean(g, 0) - xhat * mean(g * xhat, 0)) / std)(*norm_parts(LN, x), gy * gamma),
        )
        * 3,
        ((3, 6), (6,), (6,)),
        "axes",
    ),
    Wrong(
        "layer_norm: gamma forgotten",
        layer_norm,
        lambda gy, x, gamma, beta: (
            (lambda std, xhat, g: (g - mean(g, LN) - xhat * mean(g * xhat, LN)) / std)(*norm_parts(LN, x), gy),
        )
        * 3,
        ((3, 6), (6,), (6,)),
        "gamma forgotten",
    ),
    # softmax and its kind
    Wrong("softmax: y·gy", softmax, lambda gy, x: softmax(x) * gy, X, "missing Σ gy"),
    Wrong("softmax: diagonal", softmax, lambda gy, x: softmax(x) * (1 - softmax(x)) * gy, X, "diagonal"),
    Wrong("softmax: sum over the batch", softmax, lambda gy, x: (lambda y: y * (gy - (gy * y).sum(0)))(softmax(x)), X, "axis"),
    Wrong("log_softmax: gy alone", log_softmax, lambda gy, x: gy, X, "missing Σ gy"),
    Wrong("log_softmax: not summed", log_softmax, lambda gy, x: gy - softmax(x) * gy, X, "not summed"),
    Wrong("cross_entropy: no one-hot", cross_entropy, lambda gy, x: gy * softmax(x) / 4, ((4, 3),), "onehot missing"),
    Wrong("cross_entropy: not divided", cross_entropy, lambda gy, x: gy * (softmax(x) - ONEHOT), ((4, 3),), "not divided 4"),
    Wrong("cross_entropy: no softmax", cross_entropy, lambda gy, x: gy * (x - ONEHOT) / 4, ((4, 3),), "softmax missing"),
    Wrong("cross_entropy: gy ignored", cross_entropy, lambda gy, x: (softmax(x) - ONEHOT) / 4, ((4, 3),), "ignores gy"),
    # losses
    Wrong("mse: no 2", lambda x, t: ((x - t) ** 2).mean(), lambda gy, x, t: gy * (x - t) / 12, (*X, *X), "2 missing"),
    Wrong("mse: not divided", lambda x, t: ((x - t) ** 2).mean(), lambda gy, x, t: gy * 2 * (x - t), (*X, *X), "12 not divided"),
    Wrong("mse: sign", lambda x, t: ((x - t) ** 2).mean(), lambda gy, x, t: gy * 2 * (t - x) / 12, (*X, *X), "sign"),
    # element by element
    Wrong("sigmoid: x for y", sigmoid, lambda gy, x: gy * x * (1 - x), X, "y·(1 − y) x·(1 − x)"),
    Wrong("sigmoid: 1 − y", sigmoid, lambda gy, x: gy * (1 - sigmoid(x)), X, "(1 − y)"),
    Wrong("tanh: 1 − y", np.tanh, lambda gy, x: gy * (1 - np.tanh(x)), X, "(1 − y) (1 − y²)"),
    Wrong("tanh: 1 − x²", np.tanh, lambda gy, x: gy * (1 - x**2), X, "(1 − x²) (1 − y²)"),
    Wrong("tanh: of y", np.tanh, lambda gy, x: gy * (1 - np.tanh(np.tanh(x)) ** 2), X, "tanh²(y)"),
    Wrong("exp: gy·x", np.exp, lambda gy, x: gy * x, X, "must be y|exp(x) uses x"),
    Wrong("log: gy·x", np.log, lambda gy, x: gy * x, (positive(3, 4),), "1/x x"),
    Wrong("sqrt: no half", np.sqrt, lambda gy, x: gy / np.sqrt(x), (positive(3, 4),), "2"),
    Wrong("sqrt: gy·√x/2", np.sqrt, lambda gy, x: gy * np.sqrt(x) / 2, (positive(3, 4),), "must uses"),
    Wrong("power: factor forgotten", lambda x: x**3, lambda gy, x: gy * x**2, X, "exponent 3 forgotten"),
    Wrong("power: exponent", lambda x: x**3, lambda gy, x: gy * 3 * x**3, X, "3·x² 3·x³"),
    Wrong("square: one path", lambda x: x * x, lambda gy, x: gy * x, X, "2"),
    Wrong("multiply: own value", np.multiply, lambda gy, a, b: (gy * a, gy * a), (*X, *X), "own"),
    Wrong("multiply: swapped", np.multiply, lambda gy, a, b: (gy * a, gy * b), (*X, *X), "swapped own"),
    Wrong("divide: sign", np.divide, lambda gy, a, b: (gy / b, gy * a / b**2), (*X, positive(3, 4)), "sign", 1),
    Wrong("divide: square", np.divide, lambda gy, a, b: (gy / b, -gy * a / b), (*X, positive(3, 4)), "/x²", 1),
    Wrong("divide: times b", np.divide, lambda gy, a, b: (gy * b, -gy * a / b**2), (*X, positive(3, 4)), "1/input_1"),
    Wrong("subtract: sign", np.subtract, lambda gy, a, b: (gy, gy), (*X, *X), "sign", 1),
    # reductions
    Wrong("mean: not divided", lambda x: x.mean(1), lambda gy, x: gy[:, None] * np.ones_like(x), X, "not divided 4"),
    Wrong("sum: not expanded", lambda x: x.sum(1), lambda gy, x: gy[:, None], X, "expanded"),
    Wrong("max: every element", lambda x: x.max(1), lambda gy, x: gy[:, None] * np.ones_like(x), X, "maximum every"),
    # places
    Wrong("reshape: not undone", lambda x: x.reshape(4, 3), lambda gy, x: gy, X, "reshape"),
    Wrong("transpose: reshaped", lambda x: x.T, lambda gy, x: gy.reshape(x.shape), X, "transpose"),
    Wrong("permute: same again", lambda x: x.transpose(1, 2, 0), lambda gy, x: gy.transpose(1, 2, 0), ((3, 3, 3),), "inverse"),
    Wrong("slice: no zeros", lambda x: x[1:], lambda gy, x: gy, X, "part zeros"),
    Wrong("slice: wrong place", lambda x: x[1:3], lambda gy, x: put(x.shape, np.s_[:2], gy), ((4, 3),), "shifted|wrong place"),
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
        "dropout: fresh mask", lambda x: x * MASK / 0.6, lambda gy, x: gy * (np.random.random((4, 5)) > 0.4) / 0.6, ((4, 5),), "random"
    ),
    Wrong("gather: assigned", lambda x: x[ROWS], lambda gy, x: put(x.shape, ROWS, gy), ((4, 3),), "assigned added"),
    Wrong(
        "upsample: not summed",
        lambda x: x.repeat(2, 0).repeat(2, 1),
        lambda gy, x: gy[::2, ::2],
        X,
        "lost|overwritten|first",
    ),
    Wrong("add: broadcast not summed", np.add, lambda gy, x, b: (gy, gy), ((3, 4), (4,)), "not_summed broadcast", 1),
    Wrong("residual: skip lost", lambda x: x + np.tanh(x), lambda gy, x: gy * (1 - np.tanh(x) ** 2), X, "skip path"),
    Wrong("residual: branch lost", lambda x: x + np.tanh(x), lambda gy, x: gy, X, "unchanged|path|branch"),
    # anything
    Wrong("float32", np.exp, lambda gy, x: (gy * np.exp(x)).astype(np.float32).astype(float), X, "float32"),
    Wrong("zeros", np.exp, lambda gy, x: np.zeros_like(x), X, "0 everywhere"),
    Wrong("None", np.exp, lambda gy, x: None, X, "None"),
    Wrong("gy twice", np.exp, lambda gy, x: gy * gy * np.exp(x), X, "gy twice"),
    Wrong("NaN", np.exp, lambda gy, x: gy * np.log(-np.abs(x)), X, "NaN"),
)


# ---- a second list, written without a look at the hypotheses ---------------------------------------------------------


def silu(x):
    return x * sigmoid(x)


def rms_norm(x, g):
    return g * x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)


def rms_parts(x):
    r = np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)
    return r, x / r


def group_norm(x):
    n, c, h, w = x.shape
    g = x.reshape(n, 2, -1)
    g = (g - g.mean(2, keepdims=True)) / np.sqrt(g.var(2, keepdims=True) + EPS)
    return g.reshape(x.shape)


def group_norm_back(gy, x, keep_mean, keep_var):
    n = len(x)
    g, xs = gy.reshape(n, 2, -1), x.reshape(n, 2, -1)
    std, xhat = norm_parts((2,), xs)
    gx = (g - keep_mean * mean(g, 2) - keep_var * xhat * mean(g * xhat, 2)) / std
    return gx.reshape(x.shape)


instance_norm = norm((2, 3), (1, -1, 1, 1))


def elu(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)


def bce(p, t):
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()


def bce_logits(x, t):
    return (np.log1p(np.exp(x)) - t * x).mean()


def huber(x, t):
    d = x - t
    return np.where(np.abs(d) < 1, d**2 / 2, np.abs(d) - 0.5).sum()


def scores(q, k):
    return q @ k.T / np.sqrt(q.shape[1])


def logsumexp(x):
    return np.log(np.exp(x).sum(1))


def conv1d(x, w):
    return np.einsum("nclk,ock->nol", np.lib.stride_tricks.sliding_window_view(x, w.shape[2], 2), w)


def conv1d_gx(gy, x, w):
    gx = np.zeros_like(x)
    for i in range(w.shape[2]):
        gx[:, :, i : i + gy.shape[2]] += np.einsum("nol,oc->ncl", gy, w[:, :, i])
    return gx


def depthwise(x, w):
    return np.einsum("ncpqij,cij->ncpq", windows(x, 3, 1, 1), w)


PROBABILITIES = np.random.default_rng(5).uniform(0.1, 0.9, (4, 3))
TARGETS = (np.random.default_rng(6).random((4, 3)) > 0.5) * 1.0


def l2_normalise(x):
    return x / np.sqrt((x**2).sum(1, keepdims=True))


def strided_loop(gy, x, w, stride, skip_last):
    gx = np.zeros_like(x)
    k = w.shape[2]
    n, o, p_, q_ = gy.shape
    for p in range(p_ - skip_last):
        for q in range(q_ - skip_last):
            gx[:, :, p * stride : p * stride + k, q * stride : q * stride + k] += np.einsum(
                "no,ocij->ncij", gy[:, :, p, q], w
            )
    return gx


SECOND = (
    Wrong("silu: product rule half", silu, lambda gy, x: gy * sigmoid(x), X, "term missing|derivative"),
    Wrong("silu: other half", silu, lambda gy, x: gy * x * sigmoid(x) * (1 - sigmoid(x)), X, "missing sigmoid(x)"),
    Wrong("elu: slope 1 below", elu, lambda gy, x: gy, ((4, 5),), "unchanged|x_<_0"),
    Wrong("elu: y for y + 1", elu, lambda gy, x: gy * np.where(x > 0, 1, elu(x)), ((5, 5),), "x_<_0"),
    Wrong("softplus: as softmax", lambda x: np.log1p(np.exp(x)), lambda gy, x: gy * np.exp(x), X, "exp(x) sigmoid"),
    Wrong("abs: no sign", np.abs, lambda gy, x: gy, ((4, 4),), "unchanged|sign"),
    Wrong("clip: no mask", lambda x: np.clip(x, -0.5, 0.5), lambda gy, x: gy, ((4, 4),), "mask"),
    Wrong("sin: sign of cos", np.sin, lambda gy, x: -gy * np.cos(x), X, "sign"),
    Wrong("cos: sign", np.cos, lambda gy, x: gy * np.sin(x), X, "sign"),
    Wrong("reciprocal: −y", lambda x: 1 / x, lambda gy, x: -gy / x, (positive(3, 4),), "1/x²"),
    Wrong("rms_norm: r as a constant", rms_norm, lambda gy, x, g: (gy * g / rms_parts(x)[0], None), ((3, 5), (5,)), "constant|missing"),
    Wrong(
        "rms_norm: sum for mean",
        rms_norm,
        lambda gy, x, g: ((lambda r, h: (gy * g - h * (gy * g * h).sum(-1, keepdims=True)) / r)(*rms_parts(x)), None),
        ((3, 5), (5,)),
        "not_divided|sum",
    ),
    Wrong("group_norm: mean missing", group_norm, lambda gy, x: group_norm_back(gy, x, 0, 1), ((2, 4, 2, 3),), "missing mean"),
    Wrong("group_norm: var missing", group_norm, lambda gy, x: group_norm_back(gy, x, 1, 0), ((2, 4, 2, 3),), "missing variance"),
    Wrong(
        "instance_norm: batch axes",
        instance_norm,
        lambda gy, x, gamma, beta: (
            (lambda std, xhat, g: (g - mean(g, B2) - xhat * mean(g * xhat, B2)) / std)(
                *norm_parts((2, 3), x), gy * channels(gamma)
            ),
            None,
            None,
        ),
        BN,
        "axes (2,_3)",
    ),
    Wrong(
        "batch_norm: plus for minus",
        batch_norm2d,
        bn(lambda g, xhat, std, gamma: (g + mean(g, B2) - xhat * mean(g * xhat, B2)) / std),
        BN,
        "sign mean",
    ),
    Wrong(
        "batch_norm: x for x̂ in the variance term",
        batch_norm2d,
        lambda gy, x, gamma, beta: (
            (lambda std, xhat, g: (g - mean(g, B2) - x * mean(g * x, B2)) / std)(*norm_parts(B2, x), gy * channels(gamma)),
            None,
            None,
        ),
        BN,
        "variance x x̂",
    ),
    Wrong(
        "batch_norm: means over the batch only",
        batch_norm2d,
        bn(lambda g, xhat, std, gamma: (g - mean(g, 0) - xhat * mean(g * xhat, 0)) / std),
        BN,
        "axes (0,)",
    ),
    Wrong(
        "batch_norm: ggamma not centred",
        batch_norm2d,
        lambda gy, x, gamma, beta: (None, (gy * x / norm_parts(B2, x)[0]).sum(B2), None),
        BN,
        "mean|x̂",
        1,
    ),
    Wrong(
        "batch_norm: ggamma not divided",
        batch_norm2d,
        lambda gy, x, gamma, beta: (None, (gy * (x - mean(x, B2))).sum(B2), None),
        BN,
        "std",
        1,
    ),
    Wrong("bce: as with logits", bce, lambda gy, p, t: gy * (p - t) / 12, (PROBABILITIES, TARGETS), "p|x·(1_−_x)"),
    Wrong("bce: target term only", bce, lambda gy, p, t: -gy * t / p / 12, (PROBABILITIES, TARGETS), "term|input_1/x"),
    Wrong("bce_logits: no sigmoid", bce_logits, lambda gy, x, t: gy * (x - t) / 12, ((4, 3), TARGETS), "sigmoid(x) x"),
    Wrong("huber: not clipped", huber, lambda gy, x, t: gy * (x - t), ((6, 5), (6, 5)), "1|clip|others"),
    Wrong("l1: sign only of x", lambda x, t: np.abs(x - t).mean(), lambda gy, x, t: gy * np.sign(x) / 20, ((4, 5), (4, 5)), "sign(x)"),
    Wrong("var: mean not subtracted", lambda x: x.var(), lambda gy, x: gy * 2 * x / x.size, X, "mean|constant"),
    Wrong("std: not halved", lambda x: x.std(1), lambda gy, x: (gy / x.std(1))[:, None] * 2 * (x - mean(x, 1)) / 4, X, "2"),
    Wrong("std: no 1/std", lambda x: x.std(1), lambda gy, x: gy[:, None] * (x - mean(x, 1)) / 4, X, "y"),
    Wrong("prod: y", lambda x: x.prod(1), lambda gy, x: (gy * x.prod(1))[:, None] * np.ones_like(x), X, "x"),
    Wrong("logsumexp: ones", logsumexp, lambda gy, x: gy[:, None] * np.ones_like(x), X, "softmax|unchanged|exp"),
    Wrong("logsumexp: exp not divided", logsumexp, lambda gy, x: gy[:, None] * np.exp(x), X, "exp(x)|exp(y)"),
    Wrong("cumsum: forwards", lambda x: x.cumsum(1), lambda gy, x: gy.cumsum(1), X, "cumulative direction"),
    Wrong("scores: no √d", scores, lambda gy, q, k: (gy @ k, gy.T @ q), ((3, 7), (4, 7)), "√7"),
    Wrong("scores: divided by d", scores, lambda gy, q, k: (gy @ k / 7, gy.T @ q / 7), ((3, 7), (4, 7)), "√7"),
    Wrong("outer: other axis", np.outer, lambda gy, a, b: (gy.sum(1), gy.sum(0)), ((4,), (5,)), "input_1"),
    Wrong("dot: own", lambda a, b: np.dot(a, b), lambda gy, a, b: (gy * a, gy * b), ((5,), (5,)), "swapped|own"),
    Wrong(
        "conv1d: kernel flipped",
        conv1d,
        lambda gy, x, w: (conv1d_gx(gy, x, w[:, :, ::-1]), None),
        ((2, 2, 7), (3, 2, 3)),
        "flipped",
    ),
    Wrong(
        "depthwise: kernel flipped",
        depthwise,
        lambda gy, x, w: (np.einsum("ncpqij,cij->ncpq", windows(gy, 3, 1, 1), w), None),
        ((2, 3, 4, 4), (3, 3, 3)),
        "flipped",
    ),
    Wrong(
        "conv2d: last positions skipped",
        conv(2, 0),
        lambda gy, x, w: (strided_loop(gy, x, w, 2, 1), None),
        ((2, 2, 7, 7), (3, 2, 3, 3)),
        "last_row|last_column",
    ),
    Wrong(
        "conv2d: assigned in the loop",
        conv(1, 0),
        lambda gy, x, w: (
            (lambda gx: [gx.__setitem__(np.s_[:, :, p : p + 3, q : q + 3], np.einsum("no,ocij->ncij", gy[:, :, p, q], w))
                         for p in range(3) for q in range(3)] and gx)(np.zeros_like(x)),
            None,
        ),
        CONV,
        "overwritten",
    ),
    Wrong("conv2d: gw of the unpadded x", conv(1, 1), lambda gy, x, w: (None, conv_gw(gy[:, :, 1:-1, 1:-1], x, w)), CONV3, "last|shift|padding", 1),
    Wrong("conv2d: one output channel", conv(1, 1), lambda gy, x, w: (conv_gx(gy[:, :1], x, w[:1], 1, 1), None), CONV3, "channel"),
    Wrong("flip: not undone", lambda x: x[:, ::-1].copy(), lambda gy, x: gy, X, "flip"),
    Wrong("roll: same direction", lambda x: np.roll(x, 1, 1), lambda gy, x: np.roll(gy, 1, 1), ((3, 5),), "inverse|back|shifted"),
    Wrong("stack: sliced along the wrong axis", lambda a, b: np.stack([a, b], 1), lambda gy, a, b: (gy[0], gy[1]), ((2, 3), (2, 3)), "wrong_place|place|lost"),
    Wrong("cat: offset off by one", lambda a, b: np.concatenate([a, b], 1), lambda gy, a, b: (gy[:, 1:4], gy[:, 3:]), ((2, 3), (2, 4)), "shifted|place"),
    Wrong("tile: first copy only", lambda x: np.tile(x, (3, 1)), lambda gy, x: gy[:3], X, "lost|only"),
    Wrong("maximum: both", np.maximum, lambda gy, a, b: (gy, gy), ((4, 4), (4, 4)), "mask"),
    Wrong("where: mask inverted", lambda a, b: np.where(MASK, a, b), lambda gy, a, b: (gy * ~MASK, gy * MASK), ((4, 5), (4, 5)), "swapped|inverted"),
    Wrong("max: divided by n", lambda x: x.max(1), lambda gy, x: (x == x.max(1, keepdims=True)) * gy[:, None] / 4, X, "4"),
    Wrong("l2_normalise: norm as a constant", l2_normalise, lambda gy, x: gy / np.sqrt((x**2).sum(1, keepdims=True)), ((3, 4),), "constant|missing"),
    Wrong("mul: broadcast not summed", np.multiply, lambda gy, a, b: (gy * b, gy * a), ((3, 4), (4,)), "not_summed", 1),
    Wrong("mul: broadcast averaged", np.multiply, lambda gy, a, b: (gy * b, (gy * a).mean(0)), ((3, 4), (4,)), "averaged", 1),
    Wrong("relu(linear): mask missing", lambda x, w: relu(x @ w), lambda gy, x, w: (gy @ w.T, None), ((4, 3), (3, 5)), "mask"),
    Wrong("mlp: W2 transposed forgotten", lambda x, w: np.tanh(x) @ w, lambda gy, x, w: ((gy @ w) * (1 - np.tanh(x) ** 2), None), ((4, 3), (3, 3)), "transposed"),
    Wrong("weight decay inside", lambda x, w: x @ w, lambda gy, x, w: (None, x.T @ gy + 0.1 * w), ((4, 3), (3, 5)), "does_not_depend x", 1),
    Wrong("gy averaged first", np.exp, lambda gy, x: gy.mean() * np.exp(x), X, "mean|averaged"),
    Wrong("gy summed over the batch", np.tanh, lambda gy, x: gy.sum(0) * (1 - np.tanh(x) ** 2), X, "sum"),
    Wrong("detached twice", lambda x: np.exp(x).sum(1), lambda gy, x: np.exp(x), X, "gy"),
    Wrong("integer", np.exp, lambda gy, x: np.array(gy * np.exp(x), dtype=int), X, "int"),
    Wrong("in place", relu, lambda gy, x: np.multiply(gy, x > 0, out=gy), X, "writes gy"),
)
