"""Mistakes that were written down before anybody looked whether the diagnosis names them."""

import numpy as np

from wrong_backwards.forwards import EPS, LABELS, ONEHOT, log_softmax, mean, norm_parts, sigmoid, softmax
from wrong_backwards.wrong import Wrong

X = ((5, 4),)
IMAGES, ROWS = ((2, 3, 3, 4),), ((7, 3), (3,), (3,))
TARGET = np.random.default_rng(8).dirichlet(np.ones(4), 5)


def instance_norm(x):
    return norm_parts((2, 3), x)[1]


def instance_norm_back(by_mean=1, by_variance=1, axes=(2, 3), scale=1):
    def backward(gy, x):
        std, xhat = norm_parts((2, 3), x)
        return scale * (gy - by_mean * mean(gy, axes) - by_variance * xhat * mean(gy * xhat, axes)) / std

    return backward


def batch_norm1d(what, words, change):
    """change(gy, xhat, std, gamma) -> gx"""

    def forward(x, gamma, beta):
        return gamma * norm_parts((0,), x)[1] + beta

    def backward(gy, x, gamma, beta):
        std, xhat = norm_parts((0,), x)
        return change(gy, xhat, std, gamma), None, None

    return Wrong(f"batch_norm1d: {what}", forward, backward, ROWS, words)


def soft_cross_entropy(x):
    return -(TARGET * log_softmax(x)).sum(1).mean()


def nll_of_each(x):
    return -log_softmax(x)[np.arange(4), LABELS]


def softmax_back(gy, y, inner):
    return y * (gy - inner.sum(1, keepdims=True))


UNSEEN = (
    Wrong("instance_norm: mean path", instance_norm, instance_norm_back(by_mean=0), IMAGES, "via_the_mean missing"),
    Wrong(
        "instance_norm: twice",
        instance_norm,
        instance_norm_back(by_variance=2),
        IMAGES,
        "variance divided_by_6_in_place_of_12",
    ),
    Wrong(
        "instance_norm: all axes", instance_norm, instance_norm_back(axes=(0, 2, 3)), IMAGES, "axes_(0,_2,_3) (2,_3)"
    ),
    Wrong("instance_norm: sums", instance_norm, instance_norm_back(12, 12), IMAGES, "mean variance not_divided_by_12"),
    Wrong("instance_norm: scaled", instance_norm, instance_norm_back(scale=3), IMAGES, "3_times"),
    batch_norm1d(
        "gy for gy·x̂",
        "factor_`xhat`_is_missing via_the_variance",
        lambda gy, xhat, std, gamma: gamma * (gy - mean(gy, 0) - xhat * mean(gy, 0)) / std,
    ),
    batch_norm1d(
        "no direct path",
        "the_direct_term missing",
        lambda gy, xhat, std, gamma: -gamma * (mean(gy, 0) + xhat * mean(gy * xhat, 0)) / std,
    ),
    batch_norm1d(
        "unbiased",
        "unbiased n_−_1",
        lambda gy, xhat, std, gamma: (
            gamma * (gy - mean(gy, 0) - xhat * mean(gy * xhat, 0)) / np.sqrt((std**2 - EPS) * 7 / 6 + EPS)
        ),
    ),
    Wrong(
        "softmax: of the columns, summed over rows",
        lambda x: softmax(x, 0),
        lambda gy, x: softmax_back(gy, softmax(x, 0), gy * softmax(x, 0)),
        X,
        "`(1,)`_is_used_in_place_of_`(0,)`",
    ),
    Wrong(
        "softmax: x in the sum",
        softmax,
        lambda gy, x: softmax_back(gy, softmax(x), gy * x),
        X,
        "`x`_is_used_in_place_of_`y`",
    ),
    Wrong(
        "log_softmax: no softmax", log_softmax, lambda gy, x: gy - gy.sum(1, keepdims=True), X, "`exp(y)`_is_missing"
    ),
    Wrong(
        "log_softmax: y for exp(y)",
        log_softmax,
        lambda gy, x: gy - log_softmax(x) * gy.sum(1, keepdims=True),
        X,
        "`exp`_is_missing `y`_is_used_in_place_of_`exp(y)`",
    ),
    Wrong(
        "soft targets: missing", soft_cross_entropy, lambda gy, x: gy * softmax(x) / 5, X, "`-target_*_gy`_is_missing"
    ),
    Wrong(
        "soft targets: half",
        soft_cross_entropy,
        lambda gy, x: gy * (softmax(x) - TARGET / 2) / 5,
        X,
        "target lacks_a_factor_2",
    ),
    Wrong(
        "nll of each row: one-hot missing",
        nll_of_each,
        lambda gy, x: gy[:, None] * softmax(x),
        ((4, 3),),
        "`-onehot_*_gy`_is_missing",
    ),
    Wrong(
        "nll of each row: gy summed",
        nll_of_each,
        lambda gy, x: gy.sum() * (softmax(x) - ONEHOT),
        ((4, 3),),
        "gy_is_summed",
    ),
    Wrong(
        "silu·gate: x missing",
        lambda a, b: a * sigmoid(a) * b,
        lambda gy, a, b: (gy * b * (sigmoid(a) + sigmoid(a) * (1 - sigmoid(a))), None),
        (*X, *X),
        "product_rule factor_`x`_is_missing",
    ),
)
