"""Batch norm, layer norm and their kind.

Each example says what its gx is made of: change(g, xhat, std, gamma) -> gx, where g = gy·gamma.
"""

import numpy as np

from wrong_backwards.forwards import EPS, group_norm, group_norm_back, l2_normalise, mean, norm, rms_norm, rms_parts
from wrong_backwards.wrong import Wrong

BATCH_2D, BATCH_1D, LAYER, INSTANCE = (0, 2, 3), (0,), (1,), (2, 3)
PER_CHANNEL, LAST = (1, -1, 1, 1), (1, -1)
IMAGES, ROWS = ((3, 2, 3, 4), (2,), (2,)), ((3, 6), (6,), (6,))
NARROW = (0.1 * np.random.default_rng(3).standard_normal((3, 2, 3, 4)), (2,), (2,))  # so small that eps matters


def wrong_gx(name, axes, shape, inputs, words, change, ddof=0, eps=EPS):
    def backward(gy, x, gamma, beta):
        std = np.sqrt(x.var(axes, keepdims=True, ddof=ddof) + eps)
        gamma = gamma.reshape(shape)
        return change(gy * gamma, (x - mean(x, axes)) / std, std, gamma), None, None

    return Wrong(name, norm(axes, shape), backward, inputs, words)


def batch_norm(what, words, change, inputs=IMAGES, **settings):
    return wrong_gx(f"batch_norm: {what}", BATCH_2D, PER_CHANNEL, inputs, words, change, **settings)


def parameter(what, words, index, gradient):
    """A wrong gradient of gamma (index 1) or beta (2): gradient(gy, x, mean, std)"""

    def backward(gy, x, gamma, beta):
        std = np.sqrt(x.var(BATCH_2D, keepdims=True) + EPS)
        return (gradient(gy, x, mean(x, BATCH_2D), std),) * 3

    return Wrong(f"batch_norm: {what}", norm(BATCH_2D, PER_CHANNEL), backward, IMAGES, words, index)


def corrected(axes, mean_term=1.0, var_term=1.0):
    """The right formula, but for the weights of its two corrections."""
    return lambda g, xhat, std, gamma: (g - mean_term * mean(g, axes) - var_term * xhat * mean(g * xhat, axes)) / std


right = corrected(BATCH_2D)
NORMS = (
    batch_norm("mean term missing", "missing mean", corrected(BATCH_2D, mean_term=0)),
    batch_norm("variance term missing", "missing variance", corrected(BATCH_2D, var_term=0)),
    batch_norm(
        "both missing",
        "mean_is_treated_as_a_constant variance_is_treated_as_a_constant missing",
        lambda g, xhat, std, gamma: g / std,
    ),
    batch_norm("gamma forgotten", "gamma forgotten", lambda g, xhat, std, gamma: right(g, xhat, std, gamma) / gamma),
    batch_norm(
        "but_std_is_forgotten", "but_std_is_forgotten", lambda g, xhat, std, gamma: right(g, xhat, std, gamma) * std
    ),
    batch_norm("var for std", "variance in_place_of std", lambda g, xhat, std, gamma: right(g, xhat, std, gamma) / std),
    batch_norm("sums for means", "not_divided_by 36", corrected(BATCH_2D, 36, 36)),
    batch_norm("a sum for the second mean", "variance not_divided_by 36", corrected(BATCH_2D, 1, 36)),
    batch_norm("half of the second mean", "variance, lacks_a_factor_2", corrected(BATCH_2D, 1, 0.5)),
    batch_norm("plus for minus", "sign mean", corrected(BATCH_2D, mean_term=-1)),
    batch_norm("means over the batch only", "axes (0,)", corrected((0,))),
    batch_norm("n − 1", "unbiased n_−_1", right, ddof=1),
    batch_norm("in_std, `eps`_is_missing", "in_std, `eps`_is_missing", right, inputs=NARROW, eps=0),
    batch_norm(
        "x − mean for x̂ in the variance term",
        "variance 1/std_is_forgotten|std",
        lambda g, xhat, std, gamma: (g - mean(g, BATCH_2D) - xhat * mean(g * xhat * std, BATCH_2D)) / std,
    ),
    parameter(
        "ggamma with x",
        "input_0`_is_used_in_place_of_`xhat` (input_0_-_mean)_/_std",
        1,
        lambda gy, x, mu, std: (gy * x).sum(BATCH_2D),
    ),
    parameter(
        "ggamma not centred",
        "in_xhat,_the_term_`mean`_is_missing_in_`input_0_-_mean`",
        1,
        lambda gy, x, mu, std: (gy * x / std).sum(BATCH_2D),
    ),
    parameter("ggamma not divided", "std", 1, lambda gy, x, mu, std: (gy * (x - mu)).sum(BATCH_2D)),
    parameter("ggamma averaged", "averaged 36", 1, lambda gy, x, mu, std: (gy * (x - mu) / std).mean(BATCH_2D)),
    parameter("gbeta averaged", "averaged 36", 2, lambda gy, x, mu, std: gy.mean(BATCH_2D)),
    parameter(
        "gbeta of one channel",
        "outputs|x channel|[1]",
        2,
        lambda gy, x, mu, std: gy.sum(BATCH_2D) * [1, 0],
    ),
    parameter("gbeta over the batch only", "summed|sum", 2, lambda gy, x, mu, std: gy.sum(0)),
    wrong_gx(
        "batch_norm1d: mean term missing",
        BATCH_1D,
        LAST,
        ((6, 3), (3,), (3,)),
        "missing mean",
        corrected(BATCH_1D, mean_term=0),
    ),
    wrong_gx("layer_norm: wrong axis", LAYER, LAST, ROWS, "axes (0,) (1,)", corrected((0,))),
    wrong_gx(
        "layer_norm: gamma forgotten",
        LAYER,
        LAST,
        ROWS,
        "gamma forgotten",
        lambda g, xhat, std, gamma: corrected(LAYER)(g / gamma, xhat, std, gamma),
    ),
    wrong_gx(
        "layer_norm: gamma at the end",
        LAYER,
        LAST,
        ROWS,
        "gamma outside means",
        lambda g, xhat, std, gamma: corrected(LAYER)(g / gamma, xhat, std, gamma) * gamma,
    ),
    wrong_gx("instance_norm: axes", INSTANCE, PER_CHANNEL, IMAGES, "axes (2,_3) (0,_2,_3)", corrected(BATCH_2D)),
    Wrong(
        "group_norm: mean term missing",
        group_norm,
        lambda gy, x: group_norm_back(gy, x, 0, 1),
        ((2, 4, 2, 3),),
        "missing mean",
    ),
    Wrong(
        "group_norm: variance term missing",
        group_norm,
        lambda gy, x: group_norm_back(gy, x, 1, 0),
        ((2, 4, 2, 3),),
        "missing variance",
    ),
    Wrong(
        "rms_norm: root as a constant",
        rms_norm,
        lambda gy, x, gamma: (gy * gamma / rms_parts(x)[0], None),
        ((3, 5), (5,)),
        "missing constant",
    ),
    Wrong(
        "rms_norm: a sum for the mean",
        rms_norm,
        lambda gy, x, gamma: (
            (gy * gamma - rms_parts(x)[1] * (gy * gamma * rms_parts(x)[1]).sum(-1, keepdims=True)) / rms_parts(x)[0],
            None,
        ),
        ((3, 5), (5,)),
        "not_divided_by 5",
    ),
    Wrong(
        "l2_normalise: norm as a constant",
        l2_normalise,
        lambda gy, x: gy / np.sqrt((x**2).sum(1, keepdims=True)),
        ((3, 4),),
        "missing constant",
    ),
)
