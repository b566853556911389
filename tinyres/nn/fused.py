"""What follows a normalisation in a block, taken together with it where nobody looks in between.

    norm_relu(bn, x)             is  relu(bn(x))
    norm_add_relu(bn, x, r)      is  relu(bn(x) + r)

for any layer `bn`. If it is batch norm and no hook watches it, one op does it all (see tinyres/fusion.py).
"""

from __future__ import annotations

from typing import TypeGuard

from tinyres.autograd import Tensor
from tinyres.nn import functional as F
from tinyres.nn.layers import BatchNorm1d, BatchNorm2d
from tinyres.nn.module import Module


def norm_relu(norm: Module, x: Tensor) -> Tensor:
    """relu(norm(x))"""
    if not fusible(norm):
        return F.relu(norm(x))
    return F.batch_norm_relu(x, *norm.next_batch(x))


def norm_add_relu(norm: Module, x: Tensor, residual: Tensor) -> Tensor:
    """relu(norm(x) + residual)"""
    if not fusible(norm):
        return F.relu(norm(x) + residual)
    return F.batch_norm_add_relu(x, residual, *norm.next_batch(x))


def fusible(norm: Module) -> TypeGuard[BatchNorm1d | BatchNorm2d]:
    """Is it batch norm itself, no subclass with a forward of its own, and does no hook watch it?"""
    return type(norm) in (BatchNorm1d, BatchNorm2d) and not norm.forward_hooks and not norm.backward_hooks
