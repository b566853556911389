"""What the ops expect of their inputs, and the errors where an input is something else."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyres.autograd import Tensor


def expect_floats(op: str, **tensors: Tensor | None) -> None:
    """All floating point, and all of one dtype. `expect_floats("conv2d", x=x, weight=weight)`"""
    given = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    for name, tensor in given.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{op}: expected {name} to be a Tensor, got {type(tensor).__name__}; wrap it: Tensor(...)")
        if tensor.dtype.kind not in "fc":
            raise TypeError(f"{op}: expected {name} in floating point, got {tensor.dtype}; use .to('float32')")
    if len({tensor.dtype for tensor in given.values()}) > 1:
        kinds = ", ".join(f"{name} {tensor.dtype}" for name, tensor in given.items())
        raise TypeError(f"{op}: expected one dtype, got {kinds}; use model.to(dtype=...) or x.to(dtype=...)")
    if len({tensor.device for tensor in given.values()}) > 1:
        places = ", ".join(f"{name} on {tensor.device}" for name, tensor in given.items())
        raise ValueError(f"{op}: expected one device, got {places}; use model.to(device) or x.to(device)")


def expect_images(op: str, x: Tensor) -> None:
    """x is (N, C, H, W)."""
    if x.ndim != 4:
        raise ValueError(f"{op}: expected images (N, C, H, W), got {x.shape}")


def expect_dim(op: str, dim: int, ndim: int) -> int:
    """dim counted from the front: −1 is the last of ndim axes."""
    if not -ndim <= dim < ndim:
        raise ValueError(f"{op}: expected dim from {-ndim} to {ndim - 1} for {ndim} axes, got {dim}")
    return dim % ndim


def as_dims(op: str, dim: int | Sequence[int] | None, x: Tensor) -> tuple[int, ...]:
    """torch's `dim` (None: all axes; an int; several) as a tuple of axes counted from the front."""
    if dim is None:
        return tuple(range(x.ndim))
    several = (dim,) if isinstance(dim, int) else tuple(dim)
    return tuple(expect_dim(op, d, x.ndim) for d in several)


def expect_scores(op: str, x: Tensor, dim: int) -> int:
    """dim counted from the front, of an axis that is not empty: an empty one has no largest score."""
    dim = expect_dim(op, dim, x.ndim)
    if x.shape[dim] == 0:
        raise ValueError(f"{op}: expected at least one score along dim {dim}, got {x.shape}")
    return dim


def pair(op: str, name: str, value: Any, least: int) -> tuple[int, int]:
    """An int or a pair of ints as (rows, columns), each at least `least`."""
    two = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(two) != 2 or not all(isinstance(v, (int, np.integer)) and v >= least for v in two):
        raise ValueError(f"{op}: expected {name} to be an int or a pair of ints, at least {least}, got {value!r}")
    return int(two[0]), int(two[1])


def expect_dense(op: str, dilation: Any, groups: int) -> None:
    """A convolution whose kernel has no gaps, and whose outputs see all input channels."""
    if pair(op, "dilation", dilation, 1) != (1, 1) or groups != 1:
        raise NotImplementedError(f"{op}: only dilation=1 and groups=1 are supported, got {dilation} and {groups}")


def expect_pooling(
    op: str, x: Tensor, kernel_size: Any, stride: Any, padding: Any
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """(kernel, stride, padding) as pairs, for windows that fit x."""
    expect_floats(op, input=x)
    expect_images(op, x)
    kernel = pair(op, "kernel_size", kernel_size, 1)
    stride = kernel if stride is None else pair(op, "stride", stride, 1)
    padding = pair(op, "padding", padding, 0)
    if any(2 * padding[k] > kernel[k] for k in (0, 1)):
        raise ValueError(f"{op}: expected padding of at most half the kernel {kernel}, got {padding}")
    if any(x.shape[2 + k] + 2 * padding[k] < kernel[k] for k in (0, 1)):
        raise ValueError(f"{op}: a window of {kernel} does not fit into {x.shape} with padding {padding}")
    return kernel, stride, padding
