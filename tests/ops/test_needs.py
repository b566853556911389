"""A frozen input costs nothing: backward answers None for it instead of computing what is not asked for."""

import numpy as np
import pytest
from support import floats

from tinyres.nn import functional as F
from tinyres.nn import fused


def batch_norm_eval(x, weight, bias):
    return F.batch_norm(x, floats(3), floats(3), weight, bias)


@pytest.mark.parametrize(
    ("fn", "shapes"),
    [
        (lambda a, b: a + b, [(2, 3), (3,)]),
        (lambda a, b: a - b, [(2, 3), (3,)]),
        (lambda a, b: a * b, [(2, 3), (3,)]),
        (lambda a, b: a / b, [(2, 3), (3,)]),
        (lambda a, b: a @ b, [(2, 3), (3, 4)]),
        (F.linear, [(2, 3), (4, 3), (4,)]),
        (F.conv2d, [(1, 2, 3, 3), (2, 2, 3, 3), (2,)]),
        (batch_norm_eval, [(2, 3), (3,), (3,)]),
    ],
    ids=["add", "subtract", "multiply", "divide", "matmul", "linear", "conv2d", "batch_norm_eval"],
)
def test_only_the_wanted_gradients_are_computed(fn, shapes):
    for wanted in range(len(shapes)):
        y = fn(*(floats(*shape).requires_grad_(k == wanted) for k, shape in enumerate(shapes)))
        computed = [g is not None for g in y.op.backward(np.ones_like(y.data))]
        assert computed == [k == wanted for k in range(len(shapes))]


@pytest.mark.parametrize(
    "fn",
    [
        lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias),
        lambda x, weight, bias: fused.batch_norm_relu(x, F.Norm(None, None, weight, bias)),
        lambda x, weight, bias: fused.batch_norm_add_relu(x, x, F.Norm(None, None, weight, bias)),
    ],
    ids=["batch_norm", "batch_norm_relu", "batch_norm_add_relu"],
)
def test_batch_norm_spares_the_largest(fn):
    """ggamma and gbeta are needed for gx anyway; gx alone can be spared."""
    y = fn(floats(2, 3), floats(3).requires_grad_(), floats(3))
    assert y.op.backward(y.data)[0] is None
