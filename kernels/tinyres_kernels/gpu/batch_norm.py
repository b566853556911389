"""Batch norm on a GPU: the launches of batch_norm.cu."""

from __future__ import annotations

from tinyres_kernels import array
from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.channels import by_channel, sums_by_channel
from tinyres_kernels.gpu.graph import beside
from tinyres_kernels.gpu.launch import blocks_for, channels_first, channels_last, covered, empty, in_order, launch

SOURCE = "batch_norm.cu"


def batch_norm_statistics(x: Array, eps: float) -> tuple[Array, Array, Array]:
    if not covered(x):
        return array.batch_norm_statistics(x, eps)
    mean, var, r = (empty(x, x.shape[1:2]) for _ in range(3))
    sums_by_channel(SOURCE, "batch_norm_statistics", x, [channels_last(x)], mean, var, r, float(eps))
    return mean, var, r


def batch_norm_track(
    running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float, values: int
) -> None:
    running = running_mean, running_var
    if not covered(*running, mean, var) or not all(a.flags.c_contiguous for a in running):  # because they are written
        return array.batch_norm_track(running_mean, running_var, mean, var, momentum, values)
    arguments = *running, in_order(mean), in_order(var), float(momentum), values / (values - 1), len(mean)
    grid = blocks_for(len(mean))
    beside(lambda: launch(SOURCE, "batch_norm_track", mean, arguments, grid=grid), *arguments[2:4])


def batch_norm(x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    if not covered(x):
        return array.batch_norm(x, mean, r, gamma, beta)
    x = channels_last(x)
    y = empty(x, x.shape)
    by_channel(SOURCE, "batch_norm", channels_first(x), x, mean, r, gamma, beta, y)
    return channels_first(y)


def batch_norm_grad_sums(gy: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array]:
    if not covered(x, gy):
        return array.batch_norm_grad_sums(gy, x, mean, r)
    gbeta, ggamma = empty(r, r.shape), empty(r, r.shape)
    inputs = channels_last(gy), channels_last(x), mean, r
    sums_by_channel(SOURCE, "batch_norm_grad_sums", x, inputs, gbeta, ggamma)
    return gbeta, ggamma


def batch_norm_grad_x(gy: Array, x: Array, mean: Array, r: Array, gamma: Array, gbeta: Array, ggamma: Array) -> Array:
    if not covered(x, gy):
        return array.batch_norm_grad_x(gy, x, mean, r, gamma, gbeta, ggamma)
    x_rows = channels_last(x)
    gx = empty(x_rows, x_rows.shape)
    arguments = channels_last(gy), x_rows, mean, r, gamma, gbeta, ggamma, gx
    by_channel(SOURCE, "batch_norm_grad_x", x, *arguments)
    return channels_first(gx)
