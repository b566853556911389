"""Softmax and the losses."""

import numpy as np

from wrong_backwards.forwards import (
    ONEHOT,
    PROBABILITIES,
    TARGETS,
    X,
    bce,
    bce_logits,
    cross_entropy,
    huber,
    log_softmax,
    logsumexp,
    softmax,
)
from wrong_backwards.wrong import Wrong

LOSSES = (
    Wrong("softmax: y·gy", softmax, lambda gy, x: softmax(x) * gy, X, "term .sum((1,),_keepdims=true)`_is_missing"),
    Wrong("softmax: 1 − y", softmax, lambda gy, x: gy * (1 - softmax(x)), X, "each_element_by_itself sum"),
    Wrong(
        "softmax: diagonal",
        softmax,
        lambda gy, x: softmax(x) * (1 - softmax(x)) * gy,
        X,
        "`.sum(…)`_is_missing (gy_*_y).sum",
    ),
    Wrong(
        "softmax: sum over the batch",
        softmax,
        lambda gy, x: (lambda y: y * (gy - (gy * y).sum(0)))(softmax(x)),
        X,
        "axis",
    ),
    Wrong("log_softmax: gy alone", log_softmax, lambda gy, x: gy, X, "term .sum((1,),_keepdims=true)`_is_missing"),
    Wrong("log_softmax: not summed", log_softmax, lambda gy, x: gy - softmax(x) * gy, X, "`.sum(…)`_is_missing"),
    Wrong("cross_entropy: no one-hot", cross_entropy, lambda gy, x: gy * softmax(x) / 4, ((4, 3),), "onehot missing"),
    Wrong(
        "cross_entropy: not divided",
        cross_entropy,
        lambda gy, x: gy * (softmax(x) - ONEHOT),
        ((4, 3),),
        "not divided 4",
    ),
    Wrong(
        "cross_entropy: softmax's derivative again",
        cross_entropy,
        lambda gy, x: gy * (softmax(x) - ONEHOT) * softmax(x) / 4,
        ((4, 3),),
        "softmax once_more",
    ),
    Wrong(
        "cross_entropy: no softmax", cross_entropy, lambda gy, x: gy * (x - ONEHOT) / 4, ((4, 3),), "softmax missing"
    ),
    Wrong("cross_entropy: gy ignored", cross_entropy, lambda gy, x: (softmax(x) - ONEHOT) / 4, ((4, 3),), "ignores gy"),
    Wrong("mse: no 2", lambda x, t: ((x - t) ** 2).mean(), lambda gy, x, t: gy * (x - t) / 12, (*X, *X), "2 missing"),
    Wrong(
        "mse: not divided",
        lambda x, t: ((x - t) ** 2).mean(),
        lambda gy, x, t: gy * 2 * (x - t),
        (*X, *X),
        "12 not divided",
    ),
    Wrong("mse: sign", lambda x, t: ((x - t) ** 2).mean(), lambda gy, x, t: gy * 2 * (t - x) / 12, (*X, *X), "sign"),
    Wrong("bce: as with logits", bce, lambda gy, p, t: gy * (p - t) / 12, (PROBABILITIES, TARGETS), "p|x·(1_−_x)"),
    Wrong("bce: one term", bce, lambda gy, p, t: -gy * t / p / 12, (PROBABILITIES, TARGETS), "input_1_=_0 must"),
    Wrong("bce_logits: no sigmoid", bce_logits, lambda gy, x, t: gy * (x - t) / 12, ((4, 3), TARGETS), "sigmoid(x) x"),
    Wrong("huber: not clipped", huber, lambda gy, x, t: gy * (x - t), ((6, 5), (6, 5)), "1|clip|others"),
    Wrong(
        "l1: sign only of x",
        lambda x, t: np.abs(x - t).mean(),
        lambda gy, x, t: gy * np.sign(x) / 20,
        ((4, 5), (4, 5)),
        "sign(x)",
    ),
    Wrong("logsumexp: ones", logsumexp, lambda gy, x: gy[:, None] * np.ones_like(x), X, "softmax|unchanged|exp"),
    Wrong("logsumexp: exp not divided", logsumexp, lambda gy, x: gy[:, None] * np.exp(x), X, "exp(x)|exp(y)"),
)
