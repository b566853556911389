"""Batch normalisation and what is fused to it: how to draw a call of each, and its definition in float64 formulas."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from properties.calls import LENGTHS, SEEDS, DrawnOp, shuffled

import tinyres
from tinyres.nn import functional as F
from tinyres.nn import fused

EPS = st.sampled_from([1e-5, 1e-2, 1.0])


def batches(draw, length):
    """x (N,C) or (N,C,…) with two values to a channel or more; gamma and beta (C)"""
    N, C, size = draw(st.integers(1, 4)), draw(LENGTHS), draw(st.lists(LENGTHS, max_size=3))
    if N * np.prod(size) < 2:
        N = 2
    return [(N, C, *size), (C,), (C,)], {"eps": draw(EPS)}


def with_residual(draw, length):
    shapes, settings = batches(draw, length)
    return [shapes[0], *shapes], settings


def evaluated(draw, length):
    """Running statistics are settings: no gradient reaches them. Here N may be 0."""
    (x, *parameters), settings = batches(draw, length)
    x = draw(length), *x[1:]
    draws = np.random.default_rng(draw(SEEDS))
    mean, var = draws.standard_normal(x[1]), draws.uniform(0.2, 3, x[1])
    return [x, *parameters], {**settings, "mean": mean, "var": var}


def evaluated_with_residual(draw, length):
    shapes, settings = evaluated(draw, length)
    return [shapes[0], *shapes], settings


def spread_out(draws, shapes):
    """No channel of x is nearly constant: its variance would be lost in rounding. Everything else is normal."""
    x, *others = shapes
    values = np.stack([shuffled(draws, (x[0], *x[2:])) for _ in range(x[1])], 1) / max(1, x[0] * np.prod(x[2:]))
    shift, scale = draws.uniform(-3, 3, (2, x[1], *[1] * (len(x) - 2)))
    return [values * (1 + np.abs(scale)) + shift, *(draws.standard_normal(shape) for shape in others)]


# ---- the calls -------------------------------------------------------------------------------------------------------


def running(lib, x, mean, var):
    """The running statistics of an evaluation; none in training, which takes the batch's."""
    return (None, None) if mean is None else (lib.tensor(mean).to(x.dtype), lib.tensor(var).to(x.dtype))


def normalise(lib, x, gamma, beta, eps, mean=None, var=None):
    statistics = running(lib, x, mean, var)
    return lib.nn.functional.batch_norm(x, *statistics, gamma, beta, training=mean is None, eps=eps)


def normalise_relu(lib, x, gamma, beta, eps, mean=None, var=None):
    if lib is not tinyres:
        return normalise(lib, x, gamma, beta, eps, mean, var).relu()
    return fused.batch_norm_relu(x, F.Norm(*running(lib, x, mean, var), gamma, beta, training=mean is None, eps=eps))


def normalise_add_relu(lib, x, residual, gamma, beta, eps, mean=None, var=None):
    if lib is not tinyres:
        return (normalise(lib, x, gamma, beta, eps, mean, var) + residual).relu()
    statistics = running(lib, x, mean, var)
    return fused.batch_norm_add_relu(x, residual, F.Norm(*statistics, gamma, beta, training=mean is None, eps=eps))


# ---- the definitions -------------------------------------------------------------------------------------------------


def normalised(x, gamma, beta, eps, mean=None, var=None):
    """One channel after the other."""
    y = np.empty(x.shape)
    for c in range(x.shape[1]):
        values = x[:, c]
        m = np.sum(values) / values.size if mean is None else mean[c]
        v = np.sum(np.square(values - m)) / values.size if var is None else var[c]
        y[:, c] = gamma[c] * (values - m) / np.sqrt(v + eps) + beta[c]
    return y


def normalised_added(x, residual, gamma, beta, eps, mean=None, var=None):
    return normalised(x, gamma, beta, eps, mean, var) + residual


def clipped(fn):
    return lambda *arrays, **settings: np.clip(fn(*arrays, **settings), 0, None)


OPS = {
    "batch_norm": DrawnOp(batches, normalise, normalised, fill=spread_out, takes_empty=False, takes_two=True),
    "batch_norm_relu": DrawnOp(
        batches,
        normalise_relu,
        clipped(normalised),
        fill=spread_out,
        kink=normalised,
        takes_empty=False,
        takes_two=True,
    ),
    "batch_norm_add_relu": DrawnOp(
        with_residual,
        normalise_add_relu,
        clipped(normalised_added),
        fill=spread_out,
        kink=normalised_added,
        takes_empty=False,
        takes_two=True,
    ),
    "batch_norm_eval": DrawnOp(evaluated, normalise, normalised, fill=spread_out, takes_two=True, per_image=True),
    "batch_norm_relu_eval": DrawnOp(
        evaluated,
        normalise_relu,
        clipped(normalised),
        fill=spread_out,
        kink=normalised,
        takes_two=True,
        per_image=True,
    ),
    "batch_norm_add_relu_eval": DrawnOp(
        evaluated_with_residual,
        normalise_add_relu,
        clipped(normalised_added),
        fill=spread_out,
        kink=normalised_added,
        takes_two=True,
    ),
}
