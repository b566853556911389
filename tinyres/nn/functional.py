"""F: the ops under torch's names. Each has its page in tinyres/ops/.

batch_norm is written out here, because it does more than apply an op: it updates the running statistics.
"""

from typing import Any, NamedTuple

import numpy as np

from tinyres.autograd import Tensor
from tinyres.device import kernels_for
from tinyres.ops.adaptive_avg_pool2d import adaptive_avg_pool2d
from tinyres.ops.avg_pool2d import avg_pool2d
from tinyres.ops.batch_norm import BatchNorm
from tinyres.ops.batch_norm_eval import BatchNormEval
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

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
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


class Norm(NamedTuple):
    """What batch norm needs besides its input, in the order of batch_norm's parameters."""

    running_mean: Tensor | None
    running_var: Tensor | None
    weight: Tensor | None = None
    bias: Tensor | None = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5


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
    Otherwise normalise with the running statistics. Where these are None, always use the batch's.
    """
    norm = Norm(running_mean, running_var, weight, bias, training, momentum, eps)
    return normalise(BatchNorm, BatchNormEval, norm, input)


def normalise(training_op: Any, eval_op: Any, norm: Norm, *inputs: Tensor) -> Tensor:
    """Apply training_op, and update the running statistics; or apply eval_op, which uses them.

    inputs: what is normalised (N,C,…), then any other input of the ops; weight and bias come last
    """
    input, channels = inputs[0], inputs[0].shape[1:2]
    if input.ndim < 2:
        raise ValueError(f"batch_norm: expected input (N, C) or (N, C, …), got {input.shape}")
    mean, var, weight, bias = norm[:4]
    weight = Tensor(np.ones_like(input.data, shape=channels)) if weight is None else weight
    bias = Tensor(np.zeros_like(input.data, shape=channels)) if bias is None else bias
    expect_floats("batch_norm", input=input, weight=weight, bias=bias, running_mean=mean, running_var=var)
    if weight.shape != channels or bias.shape != channels:
        raise ValueError(f"batch_norm: expected input (N, {weight.numel()}, …), got {input.shape}")
    running = None if mean is None or var is None else (mean.data, var.data)
    if running and any(statistic.shape != channels for statistic in running):
        shapes = " and ".join(str(statistic.shape) for statistic in running)
        raise ValueError(f"batch_norm: expected running statistics {channels}, got {shapes}")
    if running and not norm.training:
        return eval_op(*running, float(norm.eps))(*inputs, weight, bias)
    kernels = kernels_for(input.data)
    M = kernels.batch_norm_values(input.data)
    if M < 2:
        raise ValueError(f"batch_norm: training needs more than one value per channel, got input {input.shape}")
    op = training_op(float(norm.eps))
    y = op(*inputs, weight, bias)
    if running:
        kernels.batch_norm_track(*running, op.batch_mean, op.batch_var, norm.momentum, M)
    return y
