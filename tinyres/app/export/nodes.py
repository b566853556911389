"""Translates our ops into ONNX operators: TRANSLATIONS, at the end, has a function for each op.

https://onnx.ai/onnx/operators/ describes every ONNX operator; the operator set is OPSET.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinyres.app.export.errors import ExportError
from tinyres.app.export.trace import Step
from tinyres.autograd import Op
from tinyres.ops.adaptive_avg_pool2d import averaging

OPSET = 18
END = np.iinfo(np.int64).max  # of a slice that goes to the end


class Call(NamedTuple):
    """A translation's input: the op as it ran with two and with three images, and functions that write the file."""

    step: Step
    other: Step
    inputs: list[str]
    write: Callable[..., str]  # write(kind, inputs, **attributes) -> the new value's name
    constant: Callable[[str, Any], str]  # constant(what, array) -> the constant's name

    @property
    def op(self) -> Any:
        return self.step.op


def plain(kind: str) -> Callable[[Call], str]:
    """A translation to an operator with the same inputs and no attributes."""
    return lambda call: call.write(kind, call.inputs)


def conv(call: Call) -> str:
    op = call.op
    kernel = call.step.input_shapes[1][2:]
    return call.write("Conv", call.inputs, kernel_shape=kernel, strides=op.stride, pads=(*op.padding, *op.padding))


def batch_norm(call: Call) -> str:
    x, gamma, beta = call.inputs
    mean, var = call.constant("running_mean", call.op.mean), call.constant("running_var", call.op.var)
    return call.write("BatchNormalization", [x, gamma, beta, mean, var], epsilon=call.op.eps)


def linear(call: Call) -> str:
    x, w, *bias = call.inputs
    if len(call.step.input_shapes[0]) == 2:
        return call.write("Gemm", call.inputs, transB=1)
    y = call.write("MatMul", [x, call.write("Transpose", [w], perm=(1, 0))])
    return call.write("Add", [y, *bias]) if bias else y


def pads_at_the_end(call: Call) -> list[int]:
    """The padding that gives as many windows as our op has. With ceil_mode, ONNX counts windows differently."""
    op, sizes, windows = call.op, call.step.input_shapes[0][2:], call.step.output_shape[2:]
    return [max(0, (windows[k] - 1) * op.stride[k] + op.kernel[k] - sizes[k] - op.padding[k]) for k in (0, 1)]


def max_pool(call: Call) -> str:
    op = call.op
    pads = (*op.padding, *pads_at_the_end(call))  # filled with −∞
    return call.write("MaxPool", call.inputs, kernel_shape=op.kernel, strides=op.stride, pads=pads)


def avg_pool(call: Call) -> str:
    op, end = call.op, pads_at_the_end(call)
    if op.count_include_pad and any(end[k] > op.padding[k] for k in (0, 1)):
        raise ExportError("AvgPool2d: a window extends beyond the padding (ceil_mode), which ONNX averages differently")
    pads = (*op.padding, *end)
    counted = int(op.count_include_pad)
    return call.write(
        "AveragePool", call.inputs, kernel_shape=op.kernel, strides=op.stride, pads=pads, count_include_pad=counted
    )


def adaptive_avg_pool(call: Call) -> str:
    """A·x·Bᵀ, as our op computes it."""
    like = np.zeros(0, np.float32)
    A, B = (averaging(call.step.input_shapes[0][2 + k], call.op.size[k], like) for k in (0, 1))
    rows = call.write("MatMul", [call.constant("rows", A), *call.inputs])
    return call.write("MatMul", [rows, call.constant("columns", np.ascontiguousarray(B.T))])


def reshape(call: Call) -> str:
    lengths = [a if a == b else -1 for a, b in zip(call.step.op.shape, call.other.op.shape, strict=True)]  # type: ignore[attr-defined]
    if lengths.count(-1) > 1:
        raise ExportError(f"Reshape: more than one length of {call.op.shape} depends on the batch size")
    return call.write("Reshape", [*call.inputs, call.constant("shape", np.array(lengths, np.int64))])


def slice_(call: Call) -> str:
    index = list(call.op.index)
    if Ellipsis in index:
        k = index.index(Ellipsis)
        index[k : k + 1] = [slice(None)] * (len(call.step.input_shapes[0]) - len(index) + 1)
    if not all(isinstance(part, slice) and (part.step or 1) > 0 for part in index):
        raise ExportError(f"Slice: expected slices with positive steps, got {call.op.index}")
    cut = [(axis, part) for axis, part in enumerate(index) if part != slice(None)]
    if not cut:
        return call.write("Identity", call.inputs)
    columns = {
        "starts": [part.start or 0 for _, part in cut],
        "ends": [END if part.stop is None else part.stop for _, part in cut],
        "axes": [axis for axis, _ in cut],
        "steps": [part.step or 1 for _, part in cut],
    }
    return call.write("Slice", [*call.inputs, *(call.constant(k, np.array(v, np.int64)) for k, v in columns.items())])


def pad(call: Call) -> str:
    before, after = zip(*call.op.widths, strict=True)
    pads = call.constant("pads", np.array([*before, *after], np.int64))
    return call.write("Pad", [*call.inputs, pads, call.constant("value", np.float32(call.op.value))])


def interpolate(call: Call) -> str:
    """Gathers rows and columns by index: exact for any size."""
    (value,) = call.inputs
    for axis, size in zip((2, 3), call.op.size, strict=True):
        length = call.step.input_shapes[0][axis]
        places = call.constant("rows" if axis == 2 else "columns", np.arange(size) * length // size)
        value = call.write("Gather", [value, places], axis=axis)
    return value


def power(call: Call) -> str:
    return call.write("Pow", [*call.inputs, call.constant("exponent", np.float32(call.op.exponent))])


def reduce(kind: str) -> Callable[[Call], str]:
    def translate(call: Call) -> str:
        axes = call.constant("axes", np.array(call.op.dims, np.int64))
        return call.write(kind, [*call.inputs, axes], keepdims=int(call.op.keepdim))

    return translate


def along(kind: str) -> Callable[[Call], str]:
    return lambda call: call.write(kind, call.inputs, axis=call.op.dim)


TRANSLATIONS: dict[str, Callable[[Call], str]] = {
    "Conv2d": conv,
    "BatchNormEval": batch_norm,
    "Linear": linear,
    "MaxPool2d": max_pool,
    "AvgPool2d": avg_pool,
    "AdaptiveAvgPool2d": adaptive_avg_pool,
    "Reshape": reshape,
    "Slice": slice_,
    "Pad": pad,
    "Interpolate": interpolate,
    "Cat": along("Concat"),
    "Softmax": along("Softmax"),
    "LogSoftmax": along("LogSoftmax"),
    "Transpose": lambda call: call.write("Transpose", call.inputs, perm=call.op.dims),
    "Mean": reduce("ReduceMean"),
    "Sum": reduce("ReduceSum"),
    "Power": power,
    "Add": plain("Add"),
    "Subtract": plain("Sub"),
    "Multiply": plain("Mul"),
    "Divide": plain("Div"),
    "Matmul": plain("MatMul"),
    "ReLU": plain("Relu"),
    "Sigmoid": plain("Sigmoid"),
    "Tanh": plain("Tanh"),
    "Exp": plain("Exp"),
    "Log": plain("Log"),
    "Sqrt": plain("Sqrt"),
    "Door": plain("Identity"),  # put there by a backward hook
}


def translation(op: Op) -> Callable[[Call], str]:
    if op.name not in TRANSLATIONS:
        known: Sequence[str] = sorted(TRANSLATIONS)
        raise ExportError(f"{op.name} cannot be exported to ONNX; these ops can: {', '.join(known)}")
    return TRANSLATIONS[op.name]
