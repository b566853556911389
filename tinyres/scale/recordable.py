"""What a CUDA graph can repeat: the launches of our own kernels, and nothing that happens between them.

So every op of a recorded step must consist of such launches alone. These functions say what stands in the way.
"""

from __future__ import annotations

from typing import Any

from tinyres.autograd import Array, Op, Tensor
from tinyres.data import Loader
from tinyres.device import kernels_for
from tinyres.modes import Observer
from tinyres.nn import Module
from tinyres.ops.add import Add
from tinyres.ops.conv2d import Conv2d
from tinyres.ops.slice import Slice, as_ranges
from tinyres.optim import SGD, Optimizer
from tinyres_kernels.gpu.launch import MOST_NUMBERS

RECORDABLE = {"Add", "AvgPool2d", "BatchNorm", "BatchNormAddReLU", "BatchNormReLU", "Conv2d", "CrossEntropy", "Linear"}
RECORDABLE |= {"MaxPool2d", "Pad", "ReLU", "Reshape", "Slice"}


class NotRecordable(Exception):
    """This training does something that a graph cannot repeat. The message names it."""


class RefuseOthers(Observer):
    """NotRecordable as soon as an op runs that is more than launches of our kernels."""

    def applied(self, op: Op, y: Tensor) -> None:
        shapes = {x.shape for x in op.inputs}
        if (
            op.name not in RECORDABLE
            or (isinstance(op, Conv2d) and len(op.inputs) == 3)  # with a bias
            or (isinstance(op, Add) and len(shapes) == 2)  # with broadcasting
            or (isinstance(op, Slice) and as_ranges(op.index, op.inputs[0].shape) is None)
        ):
            raise NotRecordable(f"{op.name} of {' and '.join(map(str, shapes))}")


def settings_of(optimizer: Optimizer) -> dict[str, Any]:
    """The arguments of the kernel gpu/sgd. NotRecordable: it is not SGD, or has several groups."""
    if type(optimizer) is not SGD or len(optimizer.param_groups) != 1:
        raise NotRecordable(f"the optimiser {type(optimizer).__name__}, {len(optimizer.param_groups)} groups")
    group = optimizer.param_groups[0]
    return {"momentum": group["momentum"], "decay": group["weight_decay"], "nesterov": group["nesterov"]}


def refuse_other_work(model: Module, loader: Loader) -> None:
    """NotRecordable: the model or the data need more than our kernels, or are too large for them."""
    if kernels_for(next(model.parameters()).data).__name__ != "tinyres_kernels.gpu":
        raise NotRecordable("other kernels than those of the rung gpu")
    if any(getattr(module, "momentum", 0.0) is None for module in model.modules()):
        raise NotRecordable("a batch norm whose momentum changes from batch to batch")
    if loader.dataset.images.size > MOST_NUMBERS:
        raise NotRecordable(f"a data set of more than {MOST_NUMBERS:,} bytes")


def gradient_of(parameter: Tensor) -> Array:
    """The parameter's gradient. NotRecordable: its numbers lie in another order than the parameter's."""
    gradient = parameter.grad
    if gradient is None or order_of(gradient) != order_of(parameter.data):
        raise NotRecordable(f"a parameter {parameter.shape} whose gradient lies in another order, or is missing")
    return gradient


def order_of(array: Array) -> list[int]:
    """The strides of all axes longer than 1."""
    return [stride for length, stride in zip(array.shape, array.strides, strict=True) if length > 1]
