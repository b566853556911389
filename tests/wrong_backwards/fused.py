"""Several steps in one op: gates, residual blocks, small networks, losses."""

import numpy as np

from wrong_backwards.forwards import LABELS, ONEHOT, X, log_softmax, relu, sigmoid, softmax
from wrong_backwards.wrong import Wrong

LAYERS = ((4, 3), (3, 5), (5, 2))
SMOOTH = 0.9 * ONEHOT + 0.1 / 3
COUNTS = np.array([1.0, 2.0, 0.5, 4.0])


def gates(z, c):
    """A cell: f·c + i·tanh(g), with z = [f i g] side by side."""
    f, i, g = np.split(z, 3, axis=1)
    return sigmoid(f) * c + sigmoid(i) * np.tanh(g)


def gates_back(gy, z, c):
    """tanh's derivative forgotten for g."""
    f, i, g = np.split(z, 3, axis=1)
    f, i = sigmoid(f), sigmoid(i)
    return np.concatenate([gy * c * f * (1 - f), gy * np.tanh(g) * i * (1 - i), gy * i], 1), gy * f


def block(x, w):
    return relu(x @ w + x)


def glu(x):
    a, b = np.split(x, 2, axis=1)
    return a * sigmoid(b)


def glu_back(gy, x):
    a, b = np.split(x, 2, axis=1)
    return np.concatenate([gy * sigmoid(b), gy * a], 1)


def cosine(a, b):
    return (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))


def lengths(a):
    return np.sqrt((a**2).sum(1))[:, None]


FUSED = (
    Wrong("gates: tanh's derivative", gates, gates_back, ((3, 12), (3, 4)), "columns_8 (1_−_tanh²(x)) missing"),
    Wrong("glu: gate's derivative", glu, glu_back, ((4, 6),), "columns_3 sigmoid(x)·(1_−_sigmoid(x)) missing"),
    Wrong(
        "relu(x·w + x): skip lost",
        block,
        lambda gy, x, w: ((gy * (block(x, w) > 0)) @ w.T, None),
        ((5, 4), (4, 4)),
        "(y_>_0) skip not_accumulated",
    ),
    Wrong(
        "tanh(x·w + x): skip lost",
        lambda x, w: np.tanh(x @ w + x),
        lambda gy, x, w: ((gy * (1 - np.tanh(x @ w + x) ** 2)) @ w.T, None),
        ((5, 4), (4, 4)),
        "(1_−_y²) skip",
    ),
    Wrong(
        "two layers: before relu for after it",
        lambda x, v, w: relu(x @ v) @ w,
        lambda gy, x, v, w: (None, None, (x @ v).T @ gy),
        LAYERS,
        "mask missing",
        2,
    ),
    Wrong(
        "two layers: w2 for w2.T",
        lambda x, v, w: np.tanh(x @ v) @ w,
        lambda gy, x, v, w: (None, x.T @ ((gy @ w) * (1 - np.tanh(x @ v) ** 2)), None),
        ((4, 3), (3, 3), (3, 3)),
        "transposed input_2",
        1,
    ),
    Wrong("log_softmax: no Σ gy", log_softmax, lambda gy, x: gy - softmax(x), X, "−exp(y) multiplied_by_Σ_gy axis_1"),
    Wrong(
        "softmax: temperature forgotten",
        lambda x: softmax(x / 2.5),
        lambda gy, x: (lambda y: y * (gy - (gy * y).sum(1, keepdims=True)))(softmax(x / 2.5)),
        X,
        "5/2 constant forgotten",
    ),
    Wrong(
        "label smoothing forgotten",
        lambda x: -(SMOOTH * log_softmax(x)).sum() / 4,
        lambda gy, x: gy * (softmax(x) - ONEHOT) / 4,
        ((4, 3),),
        "smoothed",
    ),
    Wrong(
        "cross entropy: label only",
        lambda x: -(ONEHOT * log_softmax(x)).sum() / 4,
        lambda gy, x: gy * (softmax(x) - 1) * ONEHOT / 4,
        ((4, 3),),
        "only_the_label's_own_element",
    ),
    Wrong(
        "cross entropy: sample weights forgotten",
        lambda x: -(COUNTS[:, None] * ONEHOT * log_softmax(x)).sum(),
        lambda gy, x: gy * (softmax(x) - ONEHOT),
        ((4, 3),),
        "factor_of_its_own weight",
    ),
    Wrong(
        "nll: not divided", lambda x: -(ONEHOT * x).sum() / 4, lambda gy, x: -gy * ONEHOT, ((4, 3),), "not_divided 4"
    ),
    Wrong(
        "cosine: length held",
        cosine,
        lambda gy, a, b: (gy[:, None] * b / lengths(a) / lengths(b), None),
        (*X, *X),
        "length",
    ),
    Wrong(
        "x·w·x: one path",
        lambda x, w: np.einsum("bi,ij,bj->b", x, w, x),
        lambda gy, x, w: (gy[:, None] * (x @ w.T), None),
        ((4, 3), (3, 3)),
        "degree_2 only_1 product_rule",
    ),
    Wrong(
        "linear: gw transposed and averaged",
        np.matmul,
        lambda gy, x, w: (None, gy.T @ x / 6),
        ((6, 4), (4, 4)),
        "two_mistakes transposed averaged 6_is_the_batch_size",
        1,
    ),
    Wrong(
        "lookup and sum: repeated row",
        lambda w: w[LABELS].sum(0),
        lambda gy, w: np.ones((3, 1)) * gy,
        ((3, 2),),
        "np.add.at",
    ),
)
