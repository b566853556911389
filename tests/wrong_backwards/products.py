"""Products, sums and quotients, with broadcasting; linear layers; residuals."""

import numpy as np

from wrong_backwards.forwards import LINEAR, X, linear, positive, relu, scores
from wrong_backwards.wrong import Wrong

PRODUCTS = (
    Wrong("linear: W for W.T", linear, lambda gy, x, w, b: (gy @ w.T, gy.T @ x, gy.sum(0)), LINEAR, "transposed"),
    Wrong("linear: gW transposed", linear, lambda gy, x, w, b: (gy @ w, x.T @ gy, gy.sum(0)), LINEAR, "transposed", 1),
    Wrong("linear: gb averaged", linear, lambda gy, x, w, b: (gy @ w, gy.T @ x, gy.mean(0)), LINEAR, "averag 4", 2),
    Wrong("linear: gb not summed", linear, lambda gy, x, w, b: (gy @ w, gy.T @ x, gy), LINEAR, "not summed", 2),
    Wrong("linear: gb first row", linear, lambda gy, x, w, b: (gy @ w, gy.T @ x, gy[0]), LINEAR, "sum lost|first", 2),
    Wrong(
        "linear: gW first sample",
        linear,
        lambda gy, x, w, b: (gy @ w, gy[:1].T @ x[:1], gy),
        LINEAR,
        "first sample|lost",
        1,
    ),
    Wrong(
        "linear: no .T",
        linear,
        lambda gy, x, w, b: (gy @ w.T, gy.T @ x, gy.sum(0)),
        ((4, 3), (5, 3), (5,)),
        "transpose",
    ),
    Wrong("matmul: wrong order", np.matmul, lambda gy, a, b: (b.T @ gy, a.T @ gy), ((3, 3), (3, 3)), "order"),
    Wrong("matmul: b for b.T", np.matmul, lambda gy, a, b: (gy @ b, a.T @ gy), ((4, 3), (3, 3)), "transposed"),
    Wrong("matmul: swapped", np.matmul, lambda gy, a, b: (a.T @ gy, gy @ b.T), ((3, 3), (3, 3)), "swapped"),
    Wrong("multiply: own value", np.multiply, lambda gy, a, b: (gy * a, gy * a), (*X, *X), "own"),
    Wrong("multiply: swapped", np.multiply, lambda gy, a, b: (gy * a, gy * b), (*X, *X), "swapped own"),
    Wrong("divide: sign", np.divide, lambda gy, a, b: (gy / b, gy * a / b**2), (*X, positive(3, 4)), "sign", 1),
    Wrong("divide: square", np.divide, lambda gy, a, b: (gy / b, -gy * a / b), (*X, positive(3, 4)), "/x²", 1),
    Wrong("divide: times b", np.divide, lambda gy, a, b: (gy * b, -gy * a / b**2), (*X, positive(3, 4)), "1/input_1"),
    Wrong("subtract: sign", np.subtract, lambda gy, a, b: (gy, gy), (*X, *X), "sign", 1),
    Wrong("add: broadcast not summed", np.add, lambda gy, x, b: (gy, gy), ((3, 4), (4,)), "not_summed broadcast", 1),
    Wrong("residual: skip lost", lambda x: x + np.tanh(x), lambda gy, x: gy * (1 - np.tanh(x) ** 2), X, "skip path"),
    Wrong("residual: branch lost", lambda x: x + np.tanh(x), lambda gy, x: gy, X, "unchanged|path|branch"),
    Wrong("scores: no √d", scores, lambda gy, q, k: (gy @ k, gy.T @ q), ((3, 7), (4, 7)), "√7"),
    Wrong("scores: divided by d", scores, lambda gy, q, k: (gy @ k / 7, gy.T @ q / 7), ((3, 7), (4, 7)), "√7"),
    Wrong("outer: other axis", np.outer, lambda gy, a, b: (gy.sum(1), gy.sum(0)), ((4,), (5,)), "input_1"),
    Wrong("dot: own", lambda a, b: np.dot(a, b), lambda gy, a, b: (gy * a, gy * b), ((5,), (5,)), "swapped|own"),
    Wrong("mul: broadcast not summed", np.multiply, lambda gy, a, b: (gy * b, gy * a), ((3, 4), (4,)), "not_summed", 1),
    Wrong(
        "mul: broadcast averaged",
        np.multiply,
        lambda gy, a, b: (gy * b, (gy * a).mean(0)),
        ((3, 4), (4,)),
        "averaged",
        1,
    ),
    Wrong(
        "relu(linear): mask missing",
        lambda x, w: relu(x @ w),
        lambda gy, x, w: (gy @ w.T, None),
        ((4, 3), (3, 5)),
        "mask",
    ),
    Wrong(
        "mlp: W2 transposed forgotten",
        lambda x, w: np.tanh(x) @ w,
        lambda gy, x, w: ((gy @ w) * (1 - np.tanh(x) ** 2), None),
        ((4, 3), (3, 3)),
        "transposed",
    ),
    Wrong(
        "weight decay inside",
        lambda x, w: x @ w,
        lambda gy, x, w: (None, x.T @ gy + 0.1 * w),
        ((4, 3), (3, 5)),
        "does_not_depend x",
        1,
    ),
)
