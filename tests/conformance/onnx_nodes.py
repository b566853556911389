"""ONNX's operators, done by tinyres: each function below takes an operator's inputs and attributes by their ONNX names.

Source: the operators' definitions, https://onnx.ai/onnx/operators/, as of opset 22. What tinyres does not do, such as
a dilation, is asked of it nevertheless: it is for tinyres to refuse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from onnx import NodeProto, helper

from tinyres import Tensor
from tinyres.nn import functional as F

Ints = Sequence[int]
Pads = tuple[list[int], list[int]]  # before and after each axis of an image


def run_node(node: NodeProto, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The node's outputs, as far as tinyres has them."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    outputs = OPERATORS[node.op_type](*map(Tensor, inputs), **attributes)
    return [y.numpy() for y in (outputs if isinstance(outputs, tuple) else (outputs,))]


def run_nodes(nodes: Sequence[NodeProto], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """{name: array}, what is given and what comes of it; the nodes stand in an order in which they can be run."""
    arrays = dict(arrays)
    for node in nodes:
        outputs = run_node(node, [arrays[name] for name in node.input])
        arrays.update(zip(node.output, outputs, strict=True))
    return arrays


def conv(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    *,
    kernel_shape: Ints | None = None,
    strides: Ints = (1, 1),
    pads: Ints | None = None,
    auto_pad: bytes = b"NOTSET",
    dilations: Ints = (1, 1),
    group: int = 1,
) -> Tensor:
    before, after = borders(x, kernel_shape or w.shape[2:], strides, pads, auto_pad)
    if before != after:
        x, before = bordered(x, (before, after), 0.0), [0, 0]
    return F.conv2d(x, w, b, tuple(strides), before, tuple(dilations), group)


def max_pool(
    x: Tensor,
    *,
    kernel_shape: Ints,
    strides: Ints = (1, 1),
    pads: Ints | None = None,
    auto_pad: bytes = b"NOTSET",
    dilations: Ints = (1, 1),
    ceil_mode: int = 0,
    storage_order: int = 0,  # how the second output, Indices, counts: F gives none
) -> Tensor:
    x, padding = pool_padding(x, borders(x, kernel_shape, strides, pads, auto_pad), kernel_shape, -np.inf)
    return F.max_pool2d(x, kernel_shape, strides, padding, tuple(dilations), bool(ceil_mode))


def average_pool(
    x: Tensor,
    *,
    kernel_shape: Ints,
    strides: Ints = (1, 1),
    pads: Ints | None = None,
    auto_pad: bytes = b"NOTSET",
    dilations: Ints = (1, 1),
    ceil_mode: int = 0,
    count_include_pad: int = 0,
) -> Tensor:
    wanted = borders(x, kernel_shape, strides, pads, auto_pad)
    if count_include_pad:
        x, padding = pool_padding(x, wanted, kernel_shape, 0.0)
    else:  # what is made part of x would count
        padding = wanted[0] if wanted[0] == wanted[1] else list(zip(*wanted, strict=True))
    dilated = {} if set(dilations) == {1} else {"dilation": dilations}  # torch's avg_pool2d has no such argument either
    return F.avg_pool2d(x, kernel_shape, strides, padding, bool(ceil_mode), bool(count_include_pad), **dilated)


def global_average_pool(x: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(x, 1)


def batch_normalization(
    x: Tensor,
    scale: Tensor,
    b: Tensor,
    mean: Tensor,
    var: Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Tensor | tuple[Tensor, Tensor, Tensor]:
    """ONNX's momentum is the share that is kept, torch's the share that is new.

    And the new part of ONNX's running variance is the batch's variance as it is, that of torch's divided by M − 1.
    """
    running_mean, running_var = Tensor(mean.data.copy()), Tensor(var.data.copy())
    y = F.batch_norm(x, running_mean, running_var, scale, b, bool(training_mode), 1 - momentum, epsilon)
    if not training_mode:
        return y
    kept, M = var * momentum, x.numel() // x.shape[1]
    return y, running_mean, kept + (running_var - kept) * ((M - 1) / M)


def gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Tensor:
    """alpha·a·b + beta·c. Stored as (O, I), as F.linear wants it, b is what ONNX calls transposed."""
    product = F.linear(a.transpose(0, 1) if transA else a, b if transB else b.transpose(0, 1))
    return product * alpha if c is None else product * alpha + c * beta


def relu(x: Tensor) -> Tensor:
    return F.relu(x)


def sigmoid(x: Tensor) -> Tensor:
    return F.sigmoid(x)


def softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    return F.softmax(x, axis)


def add(a: Tensor, b: Tensor) -> Tensor:
    return a + b


def flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    """A matrix: the axes before `axis` make its rows, the others its columns."""
    return x.reshape(math.prod(x.shape[:axis]), -1)


OPERATORS = {
    "Add": add,
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Conv": conv,
    "Flatten": flatten,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "MaxPool": max_pool,
    "Relu": relu,
    "Sigmoid": sigmoid,
    "Softmax": softmax,
}


def borders(x: Tensor, kernel: Ints, strides: Ints, pads: Ints | None, auto_pad: bytes) -> Pads:
    """The padding meant by pads = (before every axis …, after every axis …), or by auto_pad.

    SAME_UPPER and SAME_LOWER: as much as ⌈size / stride⌉ windows need, an odd one after, or before.
    """
    if auto_pad in (b"NOTSET", b"VALID"):
        pads = pads or [0] * 2 * len(kernel)
        return list(pads[: len(kernel)]), list(pads[len(kernel) :])
    sizes = zip(x.shape[2:], kernel, strides, strict=True)
    needed = [max(0, (-(-size // stride) - 1) * stride + k - size) for size, k, stride in sizes]
    less, more = [n // 2 for n in needed], [n - n // 2 for n in needed]
    return (less, more) if auto_pad == b"SAME_UPPER" else (more, less)


def pool_padding(x: Tensor, pads: Pads, kernel: Ints, value: float) -> tuple[Tensor, list[int]]:
    """x, and the padding that F's pooling is to add itself: equal on both sides, and at most half the kernel.

    Other padding becomes a part of x.
    """
    before, after = pads
    if before == after and all(2 * width <= k for width, k in zip(before, kernel, strict=True)):
        return x, before
    return bordered(x, pads, value), [0] * len(kernel)


def bordered(x: Tensor, pads: Pads, value: float) -> Tensor:
    """x inside the border; F.pad wants it from the last axis backwards."""
    axes = reversed(list(zip(*pads, strict=True)))
    return F.pad(x, [width for before_and_after in axes for width in before_and_after], value=value)
