"""F: the ops under torch's names. Follow any of them to its page in tinyres/ops/.

batch_norm stands here in full, because it alone does more than apply an op: it keeps the running statistics. So do the
two that go on from it, batch_norm_relu and batch_norm_add_relu; the first line of each says what it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.device import kernels_for
from tinyres.fusion import fusing
from tinyres.ops.adaptive_avg_pool2d import adaptive_avg_pool2d
from tinyres.ops.avg_pool2d import avg_pool2d
from tinyres.ops.batch_norm import BatchNorm
from tinyres.ops.batch_norm_add_relu import BatchNormAddReLU
from tinyres.ops.batch_norm_add_relu_eval import BatchNormAddReLUEval
from tinyres.ops.batch_norm_eval import BatchNormEval
from tinyres.ops.batch_norm_relu import BatchNormReLU
from tinyres.ops.batch_norm_relu_eval import BatchNormReLUEval
from tinyres.ops.checks import expect_floats
from tinyres.ops.conv2d import conv2d
from tinyres.ops.cross_entropy import cross_entropy
from tinyres.ops.dropout import dropout
from tinyres.ops.interpolate import interpolate
from tinyres.ops.linear import linear
from tinyres.ops.log_softmax import log_softmax
from tinyres.ops.max_pool2d import max_pool2d
from tinyres.ops.mse_loss import mse_loss
from tinyres.ops.pad import pad
from tinyres.ops.relu import relu
from tinyres.ops.sigmoid import sigmoid
from tinyres.ops.softmax import softmax
from tinyres.ops.tanh import tanh
from tinyres.scale.parallel.batch import piece

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
    "batch_norm_add_relu",
    "batch_norm_relu",
    "conv2d",
    "cross_entropy",
    "dropout",
    "interpolate",
    "linear",
    "log_softmax",
    "max_pool2d",
    "mse_loss",
    "pad",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalisation of input (N,C) or (N,C,H,W), per channel.

    training: normalise with the batch's own statistics, and move the running ones towards them in place:
    running = (1 − momentum)·running + momentum·batch, with the unbiased variance (divided by M − 1, not M).
    Otherwise normalise with the running statistics; without any (None), always with the batch's.
    """
    settings = running_mean, running_var, weight, bias, training, momentum, eps
    return _normalise(BatchNorm, BatchNormEval, (input,), *settings)


def batch_norm_relu(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """relu(batch_norm(input, …)) as one op, or inside `tinyres.unfused()` as two."""
    settings = running_mean, running_var, weight, bias, training, momentum, eps
    if not fusing():
        return relu(batch_norm(input, *settings))
    return _normalise(BatchNormReLU, BatchNormReLUEval, (input,), *settings)


def batch_norm_add_relu(
    input: Tensor,
    residual: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """relu(batch_norm(input, …) + residual) as one op, or inside `tinyres.unfused()` as three.

    residual: of input's shape; any other is left to the three ops, so it broadcasts, or fails, as in an addition.
    """
    expect_floats("batch_norm_add_relu", input=input, residual=residual)
    settings = running_mean, running_var, weight, bias, training, momentum, eps
    if not fusing() or residual.shape != input.shape:
        return relu(batch_norm(input, *settings) + residual)
    return _normalise(BatchNormAddReLU, BatchNormAddReLUEval, (input, residual), *settings)


def _normalise(
    training_op: Any,
    eval_op: Any,
    inputs: tuple[Tensor, ...],
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """training_op(*inputs, weight, bias), its statistics added to the running ones; or eval_op, which uses those."""
    input = inputs[0]
    if input.ndim < 2:
        raise ValueError(f"batch_norm: expected input (N, C) or (N, C, …), got {input.shape}")
    channels = input.shape[1:2]
    weight = Tensor(np.ones_like(input.data, shape=channels)) if weight is None else weight
    bias = Tensor(np.zeros_like(input.data, shape=channels)) if bias is None else bias
    statistics = {"running_mean": running_mean, "running_var": running_var}
    expect_floats("batch_norm", input=input, weight=weight, bias=bias, **statistics)
    if weight.shape != channels or bias.shape != channels:
        raise ValueError(f"batch_norm: expected input (N, {weight.numel()}, …), got {input.shape}")
    if running_mean is None or running_var is None:
        training = True
    elif running_mean.shape != channels or running_var.shape != channels:
        raise ValueError(
            f"batch_norm: expected running statistics {channels}, got {running_mean.shape} and {running_var.shape}"
        )
    elif not training:
        return eval_op(running_mean.data, running_var.data, float(eps))(*inputs, weight, bias)
    M = piece().values(input.data)
    if M < 2:
        raise ValueError(f"batch_norm: training needs more than one value per channel, got input {input.shape}")
    op = training_op(float(eps))
    y = op(*inputs, weight, bias)
    if running_mean is not None and running_var is not None:
        running = running_mean.data, running_var.data
        kernels_for(input.data).batch_norm_track(*running, op.batch_mean, op.batch_var, momentum, M)
    return y
