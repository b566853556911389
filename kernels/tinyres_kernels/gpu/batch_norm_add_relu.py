"""y = max(batch_norm(x) + residual, 0) on a GPU: the launches of batch_norm_add_relu.cu."""

from __future__ import annotations

from tinyres_kernels import array
from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.channels import by_channel, sums_by_channel
from tinyres_kernels.gpu.launch import channels_first, channels_last, covered, empty

SOURCE = "batch_norm_add_relu.cu"


def batch_norm_add_relu(x: Array, residual: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    if not covered(x, residual):
        return array.batch_norm_add_relu(x, residual, mean, r, gamma, beta)
    x_rows = channels_last(x)
    y = empty(x_rows, x_rows.shape)
    by_channel(SOURCE, "batch_norm_add_relu", x, x_rows, channels_last(residual), mean, r, gamma, beta, y)
    return channels_first(y)


def batch_norm_add_relu_grad_sums(gy: Array, y: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array, Array]:
    if not covered(x, gy, y):
        return array.batch_norm_add_relu_grad_sums(gy, y, x, mean, r)
    x_rows = channels_last(x)
    g, gbeta, ggamma = empty(x_rows, x_rows.shape), empty(r, r.shape), empty(r, r.shape)
    inputs = channels_last(gy), channels_last(y), x_rows, mean, r
    sums_by_channel(SOURCE, "batch_norm_add_relu_grad_sums", x, inputs, g, gbeta, ggamma)
    return channels_first(g), gbeta, ggamma
