"""y = max(batch_norm(x), 0) on a GPU: the launches of batch_norm_relu.cu."""

from __future__ import annotations

from tinyres_kernels import array
from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.channels import by_channel, sums_by_channel
from tinyres_kernels.gpu.launch import channels_first, channels_last, covered, empty

SOURCE = "batch_norm_relu.cu"


def batch_norm_relu(x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    if not covered(x):
        return array.batch_norm_relu(x, mean, r, gamma, beta)
    x_rows = channels_last(x)
    y = empty(x_rows, x_rows.shape)
    by_channel(SOURCE, "batch_norm_relu", x, x_rows, mean, r, gamma, beta, y)
    return channels_first(y)


def batch_norm_relu_grad_sums(
    gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array
) -> tuple[Array, Array]:
    if not covered(x, gy):
        return array.batch_norm_relu_grad_sums(gy, x, mean, r, gamma, beta)
    gbeta, ggamma = empty(r, r.shape), empty(r, r.shape)
    inputs = channels_last(gy), channels_last(x), mean, r, gamma, beta
    sums_by_channel(SOURCE, "batch_norm_relu_grad_sums", x, inputs, gbeta, ggamma)
    return gbeta, ggamma


def batch_norm_relu_grad_x(
    gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array, gbeta: Array, ggamma: Array
) -> Array:
    if not covered(x, gy):
        return array.batch_norm_relu_grad_x(gy, x, mean, r, gamma, beta, gbeta, ggamma)
    x_rows = channels_last(x)
    gx = empty(x_rows, x_rows.shape)
    arguments = channels_last(gy), x_rows, mean, r, gamma, beta, gbeta, ggamma, gx
    by_channel(SOURCE, "batch_norm_relu_grad_x", x, *arguments)
    return channels_first(gx)
