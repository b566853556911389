"""Element by element: activations, powers, logarithms."""

import numpy as np

from wrong_backwards.forwards import X, elu, leaky, positive, relu, sigmoid, silu
from wrong_backwards.wrong import Wrong

ELEMENTS = (
    Wrong("relu: no mask", relu, lambda gy, x: gy, X, "mask missing"),
    Wrong("relu: inverted", relu, lambda gy, x: gy * (x <= 0), X, "mask inverted"),
    Wrong("relu: mask of gy", relu, lambda gy, x: gy * (gy > 0), X, "mask gy"),
    Wrong("relu: both masks", relu, lambda gy, x: gy * (gy > 0) * (x > 0), X, "mask gy"),
    Wrong("relu: times x", relu, lambda gy, x: gy * relu(x), X, "x|y"),
    Wrong("relu: gy ignored", relu, lambda gy, x: (x > 0) * 1.0, X, "ignores gy"),
    Wrong("leaky relu: slope forgotten", leaky, lambda gy, x: gy * (x > 0), X, "x < 0 slope"),
    Wrong("leaky relu: inverse slope", leaky, lambda gy, x: gy * np.where(x > 0, 1, 10.0), X, "x < 0"),
    Wrong("sigmoid: x for y", sigmoid, lambda gy, x: gy * x * (1 - x), X, "y·(1 − y) x·(1 − x)"),
    Wrong("sigmoid: 1 − y", sigmoid, lambda gy, x: gy * (1 - sigmoid(x)), X, "(1 − y)"),
    Wrong("tanh: 1 − y", np.tanh, lambda gy, x: gy * (1 - np.tanh(x)), X, "(1 − y) (1 − y²)"),
    Wrong("tanh: 1 − x²", np.tanh, lambda gy, x: gy * (1 - x**2), X, "(1 − x²) (1 − y²)"),
    Wrong("tanh: of y", np.tanh, lambda gy, x: gy * (1 - np.tanh(np.tanh(x)) ** 2), X, "tanh²(y)"),
    Wrong("x·tanh(x): one factor", lambda x: x * np.tanh(x), lambda gy, x: gy * np.tanh(x), X, "product_rule missing"),
    Wrong("exp: gy·x", np.exp, lambda gy, x: gy * x, X, "must be y|exp(x) uses x"),
    Wrong("log: gy·x", np.log, lambda gy, x: gy * x, (positive(3, 4),), "1/x x"),
    Wrong("sqrt: no half", np.sqrt, lambda gy, x: gy / np.sqrt(x), (positive(3, 4),), "2"),
    Wrong("sqrt: gy·√x/2", np.sqrt, lambda gy, x: gy * np.sqrt(x) / 2, (positive(3, 4),), "must uses"),
    Wrong("power: factor forgotten", lambda x: x**3, lambda gy, x: gy * x**2, X, "exponent 3 forgotten"),
    Wrong("power: exponent", lambda x: x**3, lambda gy, x: gy * 3 * x**3, X, "3·x² 3·x³"),
    Wrong("square: one path", lambda x: x * x, lambda gy, x: gy * x, X, "2"),
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
)
