"""The ops, one a file: the maths, the forward and the hand-written backward. Under torch's names: nn/functional.py"""

# Imported for what their files' last lines do: hang the operators and methods on Tensor.
from tinyres.ops import (
    add,
    divide,
    exp,
    log,
    matmul,
    mean,
    multiply,
    power,
    relu,
    reshape,
    sigmoid,
    slice,
    sqrt,
    subtract,
    sum,
    tanh,
    to,
    transpose,
)

__all__ = [
    "add",
    "divide",
    "exp",
    "log",
    "matmul",
    "mean",
    "multiply",
    "power",
    "relu",
    "reshape",
    "sigmoid",
    "slice",
    "sqrt",
    "subtract",
    "sum",
    "tanh",
    "to",
    "transpose",
]
