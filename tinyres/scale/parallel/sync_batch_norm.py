"""Batch norm over a batch that several ranks share: its sums run over the values of all of them.

A channel has M values in the whole batch, m of them on this rank. The kernels see this rank's values only. So here the
kernels get what is missing, by two messages a layer of 2·C numbers each, and the ops stay as they are:

    forward     Σ over ranks of  m/M · (mean, mean² + var)        ->  mean and variance of all M values
    backward    Σ over ranks of  (gbeta, ggamma)                  ->  the sums in gx

    gx = gamma·r · (gy − gbeta/M − x̂·ggamma/M)                    the formula of ops/batch_norm.py, unchanged

A kernel divides by the m that it sees, so it is given gbeta·m/M and ggamma·m/M. The gradients of gamma and beta stay
this rank's: they are summed with all other gradients at the end of the backward pass.

The variance is Σ m/M·(mean² + var) − (Σ m/M·mean)² in float64. That is exact to float32 as long as a channel's mean is
less than ten thousand times its standard deviation.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from tinyres.autograd import Array
from tinyres.device import kernels_through
from tinyres.scale.parallel.communicator import Communicator
from tinyres.scale.parallel.rows import Rows


def synchronised(ranks: Communicator, rows: Rows) -> AbstractContextManager[None]:
    """Inside, batch norm normalises these rows with the statistics of the whole batch.

    All ranks must be inside, and run the same network forward and backward.
    """
    return kernels_through(partial(SyncKernels, ranks, rows))


class SyncKernels:
    """The kernels of a rung; but those of batch norm that need sums over the whole batch get them from all ranks.

    A rank with no rows of the batch takes part with one row that has no weight.
    """

    def __init__(self, ranks: Communicator, rows: Rows, kernels: Any):
        self.ranks, self.rows, self.kernels = ranks, rows, kernels

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kernels, name)

    def batch_norm_values(self, x: Array) -> int:
        """x (N,C,…), this rank's rows -> M, how many values each channel has on all ranks"""
        here = max(1, self.rows.stop - self.rows.start)
        if len(x) != here:
            raise ValueError(f"batch_norm: expected the {here} rows of this rank's part of the batch, got {len(x)}")
        return self.kernels.batch_norm_values(x) // here * self.rows.total

    def batch_norm_statistics(self, x: Array, eps: float) -> tuple[Array, Array, Array]:
        """x (N,C,…), this rank's rows -> mean, var, r = 1/√(var + eps) (C) of the whole batch"""
        mean, var, _ = self.kernels.batch_norm_statistics(x, eps)
        mean64 = mean.astype(np.float64)
        moments = np.stack([mean64, mean64**2 + var]) * self.rows.share
        self.ranks.sum(moments)
        mean64, squares = moments
        var = np.maximum(squares - mean64**2, 0).astype(var.dtype)
        return mean64.astype(mean.dtype), var, 1 / np.sqrt(var + eps)

    def batch_norm_grad_x(self, *arguments: Array) -> Array:
        """Of (gy, x, mean, r, gamma, gbeta, ggamma) the last two are this rank's sums -> gx (N,C,…)"""
        return self.kernels.batch_norm_grad_x(*arguments[:-2], *self._sums(*arguments[-2:]))

    def batch_norm_relu_grad_x(self, *arguments: Array) -> Array:
        """Of (gy, x, mean, r, gamma, beta, gbeta, ggamma) the last two are this rank's sums -> gx (N,C,…)"""
        return self.kernels.batch_norm_relu_grad_x(*arguments[:-2], *self._sums(*arguments[-2:]))

    def _sums(self, gbeta: Array, ggamma: Array) -> tuple[Array, Array]:
        """(C), (C) of this rank -> those of all ranks, times this rank's fraction m/M of the batch."""
        both = np.stack([gbeta, ggamma]).astype(np.float64)
        self.ranks.sum(both)
        both *= self.rows.share
        return both[0].astype(gbeta.dtype), both[1].astype(ggamma.dtype)
