"""Average pooling on a GPU: the launches of avg_pool2d.cu."""

from __future__ import annotations

from tinyres_kernels import array
from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.gpu.launch import blocks_for, channels_first, channels_last, covered, empty, launch, vector_of
from tinyres_kernels.windows import output_sizes


def avg_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool, count_include_pad: bool) -> Array:
    if not covered(x):
        return array.avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad)
    N, C, H, W = x.shape
    P, Q = output_sizes(x.shape[2:], kernel, stride, padding, ceil_mode)
    y = empty(x, (N, P, Q, C))
    sizes = y.size, int(count_include_pad), C, H, W, P, Q, *kernel, *stride, *padding
    launch("avg_pool2d.cu", "avg_pool2d", y, (channels_last(x), y, *sizes), grid=blocks_for(y.size))
    return channels_first(y)


def avg_pool2d_grad_x(
    gy: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, count_include_pad: bool
) -> Array:
    if not covered(gy):
        return array.avg_pool2d_grad_x(gy, x_shape, kernel, stride, padding, count_include_pad)
    (N, C, H, W), (P, Q) = x_shape, gy.shape[2:]
    gy, gx = channels_last(gy), empty(gy, (N, H, W, C))
    vector = vector_of(C, gy, gx)
    count = gx.size // vector
    sizes = count, int(count_include_pad), C // vector, H, W, P, Q, *kernel, *stride, *padding
    defines = (f"VECTOR={vector}",)
    launch("avg_pool2d.cu", "avg_pool2d_grad_x", gx, (gy, gx, *sizes), grid=blocks_for(count), defines=defines)
    return channels_first(gx)
