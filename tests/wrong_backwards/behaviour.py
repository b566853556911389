"""Mistakes that any op may have."""

import numpy as np

from wrong_backwards.forwards import X, relu
from wrong_backwards.wrong import Wrong

BEHAVIOUR = (
    Wrong("float32", np.exp, lambda gy, x: (gy * np.exp(x)).astype(np.float32).astype(float), X, "float32"),
    Wrong("zeros", np.exp, lambda gy, x: np.zeros_like(x), X, "0 everywhere"),
    Wrong("None", np.exp, lambda gy, x: None, X, "None"),
    Wrong("gy twice", np.exp, lambda gy, x: gy * gy * np.exp(x), X, "gy twice"),
    Wrong("NaN", np.exp, lambda gy, x: gy * np.log(-np.abs(x)), X, "NaN"),
    Wrong("gy averaged first", np.exp, lambda gy, x: gy.mean() * np.exp(x), X, "mean|averaged"),
    Wrong("gy summed over the batch", np.tanh, lambda gy, x: gy.sum(0) * (1 - np.tanh(x) ** 2), X, "sum"),
    Wrong("detached twice", lambda x: np.exp(x).sum(1), lambda gy, x: np.exp(x), X, "gy"),
    Wrong("integer", np.exp, lambda gy, x: np.array(gy * np.exp(x), dtype=int), X, "int"),
    Wrong("in place", relu, lambda gy, x: np.multiply(gy, x > 0, out=gy), X, "writes gy"),
)
