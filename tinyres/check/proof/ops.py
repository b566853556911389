"""Every op in several settings. A test sees to it that none is missing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial

import numpy as np

from tinyres.autograd import Op
from tinyres.check.proof.case import Case
from tinyres.ops.adaptive_avg_pool2d import AdaptiveAvgPool2d
from tinyres.ops.add import Add
from tinyres.ops.avg_pool2d import AvgPool2d
from tinyres.ops.batch_norm import BatchNorm
from tinyres.ops.batch_norm_add_relu import BatchNormAddReLU
from tinyres.ops.batch_norm_add_relu_eval import BatchNormAddReLUEval
from tinyres.ops.batch_norm_eval import BatchNormEval
from tinyres.ops.batch_norm_relu import BatchNormReLU
from tinyres.ops.batch_norm_relu_eval import BatchNormReLUEval
from tinyres.ops.cat import Cat
from tinyres.ops.conv2d import Conv2d
from tinyres.ops.cross_entropy import CrossEntropy
from tinyres.ops.divide import Divide
from tinyres.ops.dropout import Dropout
from tinyres.ops.exp import Exp
from tinyres.ops.interpolate import Interpolate
from tinyres.ops.linear import Linear
from tinyres.ops.log import Log
from tinyres.ops.log_softmax import LogSoftmax
from tinyres.ops.matmul import Matmul
from tinyres.ops.max_pool2d import MaxPool2d
from tinyres.ops.mean import Mean
from tinyres.ops.mse_loss import MSELoss
from tinyres.ops.multiply import Multiply
from tinyres.ops.pad import Pad
from tinyres.ops.power import Power
from tinyres.ops.relu import ReLU
from tinyres.ops.reshape import Reshape
from tinyres.ops.sigmoid import Sigmoid
from tinyres.ops.slice import Slice
from tinyres.ops.softmax import Softmax
from tinyres.ops.sqrt import Sqrt
from tinyres.ops.subtract import Subtract
from tinyres.ops.sum import Sum
from tinyres.ops.tanh import Tanh
from tinyres.ops.to import To
from tinyres.ops.transpose import Transpose
from tinyres.random import generator

Shape = tuple[int, ...]
IMAGES = (3, 4, 6, 5)  # (N, C, H, W); no two lengths alike, so that exchanged axes show
CHANNELS = (4,)
MEAN, VAR = np.array([[0.25, -0.5, 0.125, 0.5], [0.75, 1.5, 0.5, 2.0]], np.float32)  # running statistics


def normal(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.standard_normal(shape)


def positive(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.uniform(0.5, 3.0, shape)


def case(
    setting: str,
    make: Callable[[], Op],
    *shapes: Shape,
    linear: str = "",
    draw: Callable[[np.random.Generator, Shape], np.ndarray] = normal,
) -> Case:
    """make: a new op for each call. linear: the inputs in which it is linear, by the names that its forward has."""
    op = make()
    names = input_names(op, len(shapes))
    rng = generator(0, f"{op.name} {setting}")
    inputs = {name: draw(rng, shape) for name, shape in zip(names, shapes, strict=True)}
    return Case(op.name, setting, lambda *tensors: make()(*tensors), inputs, tuple(linear.split()))


def input_names(op: Op, count: int) -> list[str]:
    """What op's forward calls its inputs: x, w, b; xs0, xs1, … where it takes any number."""
    names: list[str] = []
    for parameter in inspect.signature(op.forward).parameters.values():
        several = parameter.kind == parameter.VAR_POSITIONAL
        names.extend([f"{parameter.name}{k}" for k in range(count)] if several else [parameter.name])
    return names[:count]


def op_cases() -> list[Case]:
    return [*elementwise(), *shapes(), *reductions(), *products(), *windows(), *norms(), *scores()]


def elementwise() -> list[Case]:
    cases = [
        case("relu", ReLU, (3, 4)),
        case("images", ReLU, IMAGES),
        *(case("matrix", make, (3, 4)) for make in (Exp, Tanh, Sigmoid)),
        *(case("images", make, IMAGES) for make in (Exp, Tanh, Sigmoid)),
        *(case("matrix", make, (3, 4), draw=positive) for make in (Log, Sqrt)),
        *(case("images", make, IMAGES, draw=positive) for make in (Log, Sqrt)),
        *(case(f"exponent {p}", partial(Power, p), (3, 4), draw=positive) for p in (2.0, -1.0, 2.5)),
        case("exponent 3.0, of either sign", lambda: Power(3.0), (3, 4)),
        case("half", lambda: Dropout(0.5), (4, 5), linear="x"),
        case("a tenth, images", lambda: Dropout(0.1), IMAGES, linear="x"),
        case("to float64", lambda: To("cpu", np.dtype("float64")), (3, 4), linear="x"),
        case("to float64, images", lambda: To("cpu", np.dtype("float64")), IMAGES, linear="x"),
        case("same shape", MSELoss, (3, 4), (3, 4)),
        case("images", MSELoss, IMAGES, IMAGES),
    ]
    for make, linear in ((Add, "a b"), (Subtract, "a b"), (Multiply, "a b"), (Divide, "a")):
        for setting, a, b in (
            ("same shape", (3, 4), (3, 4)),
            ("a row and a column", (3, 1), (1, 4)),
            ("images and channels", IMAGES, (4, 1, 1)),
        ):
            cases.append(case(setting, make, a, b, linear=linear, draw=positive if make is Divide else normal))
    return cases


def shapes() -> list[Case]:
    return [
        case("to a matrix", lambda: Reshape((6, 4)), (2, 3, 4), linear="x"),
        case("flattened", lambda: Reshape((24,)), (2, 3, 4), linear="x"),
        case("matrix", lambda: Transpose((1, 0)), (3, 4), linear="x"),
        case("a cycle of three axes", lambda: Transpose((2, 0, 1)), (2, 3, 4), linear="x"),
        case("every second", lambda: Slice((slice(None), slice(1, None, 2))), (3, 5), linear="x"),
        case("one place twice", lambda: Slice((np.array([0, 2, 0]),)), (3, 4), linear="x"),
        case("two, rows", lambda: Cat(0), (2, 3), (4, 3), linear="xs0 xs1"),
        case("three, channels", lambda: Cat(1), (2, 3, 2), (2, 1, 2), (2, 2, 2), linear="xs0 xs1 xs2"),
        case("zeros", lambda: Pad(((1, 2), (0, 3)), 0.0), (3, 4), linear="x"),
        case("channels of ones", lambda: Pad(((0, 0), (0, 2), (0, 0)), 1.0), (2, 3, 4), linear="x"),
        case("twice", lambda: Interpolate((12, 10)), IMAGES, linear="x"),
        case("to an odd size", lambda: Interpolate((7, 8)), IMAGES, linear="x"),
    ]


def reductions() -> list[Case]:
    return [
        case(setting, partial(make, dims, keep), (2, 3, 4), linear="x")
        for make in (Sum, Mean)
        for setting, dims, keep in (("all", (0, 1, 2), False), ("one axis", (1,), False), ("two, kept", (0, 2), True))
    ]


def products() -> list[Case]:
    return [
        case("matrices", Matmul, (3, 4), (4, 5), linear="a b"),
        case("leading axes that broadcast", Matmul, (2, 1, 3, 4), (5, 4, 2), linear="a b"),
        case("bias", Linear, (3, 4), (5, 4), (5,), linear="x w b"),
        case("no bias, three axes", Linear, (2, 3, 4), (5, 4), linear="x w"),
    ]


def windows() -> list[Case]:
    return [
        case("3×3, padding 1, bias", lambda: Conv2d((1, 1), (1, 1)), IMAGES, (7, 4, 3, 3), (7,), linear="x w b"),
        case("3×3, stride 2, padding 1", lambda: Conv2d((2, 2), (1, 1)), IMAGES, (7, 4, 3, 3), linear="x w"),
        case("1×1, stride 2", lambda: Conv2d((2, 2), (0, 0)), IMAGES, (7, 4, 1, 1), linear="x w"),
        case("2×3, stride (1, 2)", lambda: Conv2d((1, 2), (0, 1)), IMAGES, (7, 4, 2, 3), linear="x w"),
        case("2×2", lambda: MaxPool2d((2, 2), (2, 2), (0, 0), False), (2, 3, 6, 4)),
        case("3×3, stride 2, padding 1", lambda: MaxPool2d((3, 3), (2, 2), (1, 1), False), IMAGES),
        case("2×2", lambda: AvgPool2d((2, 2), (2, 2), (0, 0), False, True), (2, 3, 6, 4), linear="x"),
        case("padding not counted", lambda: AvgPool2d((3, 3), (2, 2), (1, 1), True, False), IMAGES, linear="x"),
        case("4×3", lambda: AdaptiveAvgPool2d((4, 3)), IMAGES, linear="x"),
        case("1×1", lambda: AdaptiveAvgPool2d((1, 1)), IMAGES, linear="x"),
    ]


def norms() -> list[Case]:
    C = CHANNELS
    return [
        row
        for setting, x in (("images", IMAGES), ("matrix", (6, 4)))
        for row in (
            case(setting, lambda: BatchNorm(1e-5), x, C, C, linear="gamma beta"),
            case(setting, lambda: BatchNormEval(MEAN, VAR, 1e-5), x, C, C, linear="x gamma beta"),
            case(setting, lambda: BatchNormReLU(1e-5), x, C, C),
            case(setting, lambda: BatchNormReLUEval(MEAN, VAR, 1e-5), x, C, C),
            case(setting, lambda: BatchNormAddReLU(1e-5), x, x, C, C),
            case(setting, lambda: BatchNormAddReLUEval(MEAN, VAR, 1e-5), x, x, C, C),
        )
    ]


def scores() -> list[Case]:
    labels = np.array([0, 3, 1])
    return [
        case("of classes", lambda: Softmax(1), (3, 5)),
        case("first axis of three", lambda: Softmax(0), (3, 2, 4)),
        case("of classes", lambda: LogSoftmax(1), (3, 5)),
        case("first axis of three", lambda: LogSoftmax(0), (3, 2, 4)),
        case("labels", lambda: CrossEntropy(labels, 0.0), (3, 5)),
        case("labels, smoothed", lambda: CrossEntropy(labels, 0.1), (3, 5)),
    ]
