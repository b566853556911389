"""F: the ops under torch's names. Follow any of them to its page in tinyres/ops/.

batch_norm stands here in full, because it alone does more than apply an op: it keeps the running statistics.
"""

from __future__ import annotations

import numpy as np

from tinyres.autograd import Tensor
from tinyres.ops.adaptive_avg_pool2d import adaptive_avg_pool2d as adaptive_avg_pool2d
from tinyres.ops.avg_pool2d import avg_pool2d as avg_pool2d
from tinyres.ops.batch_norm import BatchNorm
from tinyres.ops.batch_norm_eval import BatchNormEval
from tinyres.ops.checks import expect_floats
from tinyres.ops.conv2d import conv2d as conv2d
from tinyres.ops.cross_entropy import cross_entropy as cross_entropy
from tinyres.ops.dropout import dropout as dropout
from tinyres.ops.interpolate import interpolate as interpolate
from tinyres.ops.linear import linear as linear
from tinyres.ops.log_softmax import log_softmax as log_softmax
from tinyres.ops.max_pool2d import max_pool2d as max_pool2d
from tinyres.ops.mse_loss import mse_loss as mse_loss
from tinyres.ops.pad import pad as pad
from tinyres.ops.relu import relu as relu
from tinyres.ops.sigmoid import sigmoid as sigmoid
from tinyres.ops.softmax import softmax as softmax
from tinyres.ops.tanh import tanh as tanh


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
    if input.ndim < 2:
        raise ValueError(f"batch_norm: expected input (N, C) or (N, C, …), got {input.shape}")
    channels = input.shape[1:2]
    ones, zeros = np.ones_like(input.data, shape=channels), np.zeros_like(input.data, shape=channels)
    weight = Tensor(ones) if weight is None else weight
    bias = Tensor(zeros) if bias is None else bias
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
        return BatchNormEval(running_mean.data, running_var.data, float(eps))(input, weight, bias)
    M = input.numel() // max(1, input.shape[1])
    if M < 2:
        raise ValueError(f"batch_norm: training needs more than one value per channel, got input {input.shape}")
    op = BatchNorm(float(eps))
    y = op(input, weight, bias)
    if running_mean is not None and running_var is not None:
        running_mean.data += momentum * (op.batch_mean - running_mean.data)
        running_var.data += momentum * (op.batch_var * (M / (M - 1)) - running_var.data)
    return y
