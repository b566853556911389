"""Ops that treat every element alike: how to draw a call of each, and its definition, number by number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from properties.calls import DrawnOp, any_shape, apart, broadcasting, normal, positive

import tinyres
from tinyres.ops.to import To
from tinyres.random import generator


def number_by_number(fn: Callable[..., float]) -> Callable[..., np.ndarray]:
    """fn, which takes and returns Python numbers, for whole arrays that broadcast."""

    def define(*arrays: np.ndarray, **settings: Any) -> np.ndarray:
        repeated = np.broadcast_arrays(*arrays)
        y = np.empty(repeated[0].shape)
        for place in np.ndindex(y.shape):
            y[place] = fn(*(float(a[place]) for a in repeated), **settings)
        return y

    return define


def one(draw, length):
    return [any_shape(draw, length)], {}


def two(draw, length):
    return list(broadcasting(draw, length)), {}


def never_divided_by_little(draws, shapes):
    """a: anything; b: 0.5 to 3, of either sign"""
    (a, b), (sign, _) = normal(draws, shapes[:1]) + positive(draws, shapes[1:]), normal(draws, [shapes[1], ()])
    return [a, np.copysign(b, sign)]


def powers(draw, length):
    return [any_shape(draw, length)], {"p": draw(st.sampled_from([-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3]))}


def squared_errors(draw, length):
    shape = any_shape(draw, length)
    reductions = ["sum", "none"] + ["mean"] * (0 not in shape)  # there is no mean of nothing
    return [shape, shape], {"reduction": draw(st.sampled_from(reductions))}


def mse_loss_defined(x, t, reduction):
    errors = number_by_number(lambda x, t: (x - t) * (x - t))(x, t)
    return {"none": errors, "sum": np.sum(errors), "mean": np.sum(errors) / max(1, errors.size)}[reduction]


def dropouts(draw, length):
    return [any_shape(draw, length)], {"p": draw(st.sampled_from([0.1, 0.5, 0.9, 1.0]))}


def dropout(lib, x, p):
    tinyres.manual_seed(7)  # the same places are dropped at each call
    return lib.nn.functional.dropout(x, p)


def dropout_defined(x, p):
    kept = generator(7, "dropout").random(x.shape, dtype=np.float32) >= p
    return np.where(kept, x / (1 - p), 0) if p < 1 else 0 * x


def to_its_own(lib, x):
    """The op at rest: its output is its input, memory and all. What it is for: test_dtypes.py"""
    return To("cpu", x.dtype)(x)


OPS = {
    "add": DrawnOp(two, lambda lib, a, b: a + b, number_by_number(lambda a, b: a + b), takes_two=True),
    "subtract": DrawnOp(two, lambda lib, a, b: a - b, number_by_number(lambda a, b: a - b), takes_two=True),
    "negate": DrawnOp(one, lambda lib, x: -x, number_by_number(lambda x: -x)),
    "multiply": DrawnOp(two, lambda lib, a, b: a * b, number_by_number(lambda a, b: a * b), takes_two=True),
    "divide": DrawnOp(
        two,
        lambda lib, a, b: a / b,
        number_by_number(lambda a, b: a / b),
        fill=never_divided_by_little,
        takes_two=True,
    ),
    "exp": DrawnOp(one, lambda lib, x: x.exp(), number_by_number(math.exp)),
    "log": DrawnOp(one, lambda lib, x: x.log(), number_by_number(math.log), fill=positive),
    "sqrt": DrawnOp(one, lambda lib, x: x.sqrt(), number_by_number(math.sqrt), fill=positive),
    "power": DrawnOp(powers, lambda lib, x, p: x**p, number_by_number(lambda x, p: math.pow(x, p)), fill=positive),
    "tanh": DrawnOp(one, lambda lib, x: lib.nn.functional.tanh(x), number_by_number(math.tanh)),
    "sigmoid": DrawnOp(
        one, lambda lib, x: lib.nn.functional.sigmoid(x), number_by_number(lambda x: 1 / (1 + math.exp(-x)))
    ),
    "relu": DrawnOp(
        one,
        lambda lib, x: lib.nn.functional.relu(x),
        number_by_number(lambda x: x if x > 0 else 0),
        fill=apart,
    ),
    "mse_loss": DrawnOp(
        squared_errors,
        lambda lib, x, t, reduction: lib.nn.functional.mse_loss(x, t, reduction=reduction),
        mse_loss_defined,
        takes_two=True,
    ),
    "dropout": DrawnOp(dropouts, dropout, dropout_defined, in_torch=False),
    "to": DrawnOp(one, to_its_own, number_by_number(lambda x: x), in_torch=False),
}
