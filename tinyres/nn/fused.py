"""Batch norm together with what follows it in a block: the same result with fewer trips to memory.

    norm_relu(bn, x)               is  relu(bn(x))
    (Normed(bn, x) + r).relu()     is  relu(bn(x) + r)

As three ops, the latter writes bn(x) to memory, reads it for the sum, writes the sum, and reads that for the ReLU. One
op does all of it while a value is in the processor; the values in between never exist. To look at them, run the model
inside `tinyres.unfused()`. The ops also run one by one where `bn` is another layer, or where a hook watches it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeGuard

from tinyres.autograd import Tensor
from tinyres.nn import functional as F
from tinyres.nn.batchnorm import BatchNorm1d, BatchNorm2d
from tinyres.nn.functional import Norm, normalise
from tinyres.nn.module import Module
from tinyres.ops.batch_norm_add_relu import BatchNormAddReLU
from tinyres.ops.batch_norm_add_relu_eval import BatchNormAddReLUEval
from tinyres.ops.batch_norm_relu import BatchNormReLU
from tinyres.ops.batch_norm_relu_eval import BatchNormReLUEval
from tinyres.ops.checks import expect_floats


class _Mode(threading.local):
    fusing = True


_mode = _Mode()


@contextmanager
def unfused() -> Iterator[None]:
    """Inside, every op of this thread runs on its own: to look at the values in between, and to compare."""
    before, _mode.fusing = _mode.fusing, False
    try:
        yield
    finally:
        _mode.fusing = before


def norm_relu(norm: Module, x: Tensor) -> Tensor:
    """relu(norm(x))"""
    return batch_norm_relu(x, norm.next_batch(x)) if _can_fuse(norm) else F.relu(norm(x))


@dataclass
class Normed:
    """norm(x), or after an addition norm(x) + residual, which is computed when relu() is called."""

    norm: Module
    x: Tensor
    residual: Tensor | None = None

    def __add__(self, residual: Tensor) -> Normed:
        return Normed(self.norm, self.x, residual)

    def relu(self) -> Tensor:
        """relu(norm(x)), or relu(norm(x) + residual)"""
        if self.residual is None:
            return norm_relu(self.norm, self.x)
        if not _can_fuse(self.norm):
            return F.relu(self.norm(self.x) + self.residual)
        return batch_norm_add_relu(self.x, self.residual, self.norm.next_batch(self.x))


def batch_norm_relu(input: Tensor, norm: Norm) -> Tensor:
    """relu(F.batch_norm(input, *norm)) as one op, or inside `tinyres.unfused()` as two."""
    if not _mode.fusing:
        return F.relu(F.batch_norm(input, *norm))
    return normalise(BatchNormReLU, BatchNormReLUEval, norm, input)


def batch_norm_add_relu(input: Tensor, residual: Tensor, norm: Norm) -> Tensor:
    """relu(F.batch_norm(input, *norm) + residual) as one op, or inside `tinyres.unfused()` as three.

    A residual of another shape than input's takes three ops: it broadcasts, or fails, as in an addition.
    """
    expect_floats("batch_norm_add_relu", input=input, residual=residual)
    if not _mode.fusing or residual.shape != input.shape:
        return F.relu(F.batch_norm(input, *norm) + residual)
    return normalise(BatchNormAddReLU, BatchNormAddReLUEval, norm, input, residual)


def _can_fuse(norm: Module) -> TypeGuard[BatchNorm1d | BatchNorm2d]:
    """Is it batch norm itself, not a subclass with its own forward, and does no hook watch it?"""
    return type(norm) in (BatchNorm1d, BatchNorm2d) and not norm.forward_hooks and not norm.backward_hooks
