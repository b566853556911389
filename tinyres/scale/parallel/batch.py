"""Batch norm over a batch that lies in pieces on several ranks: its sums run over all of them.

A channel has M values on all ranks together, m of them here. The kernels know this rank's piece alone; two messages
a layer make up for it, each of 2·C numbers:

    forward     Σ over ranks of  m/M · (mean, mean² + var)        ->  the mean and the variance of all M values
    backward    Σ over ranks of  (gbeta, ggamma)                  ->  what stands in gx

    gx = gamma·r · (gy − gbeta/M − x̂·ggamma/M)                    the formula of ops/batch_norm.py as it stands

A kernel divides by the m that it sees, so it is handed gbeta·m/M and ggamma·m/M. The parameters' own gradients stay
this rank's: they are summed with all others at the end of the backward pass.

The variance is Σ m/M·(mean² + var) − (Σ m/M·mean)² in float64: exact to float32 as long as a channel's mean is not ten
thousand times its deviation.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from tinyres.autograd import Array
from tinyres.scale.parallel.communicator import ALONE, Communicator
from tinyres.scale.parallel.rows import Rows


@dataclass(frozen=True)
class Piece:
    """What lies here of a batch: these rows. A rank without any takes part with a row that counts for nothing."""

    ranks: Communicator
    rows: Rows

    def sums(self, gbeta: Array, ggamma: Array) -> tuple[Array, Array]:
        """(C), (C) of this rank -> those of all ranks, times its share of the batch: what the kernels divide by m."""
        if self.ranks.size == 1:
            return gbeta, ggamma
        both = np.stack([gbeta, ggamma]).astype(np.float64)
        self.ranks.sum(both)
        both *= self.rows.share
        return both[0].astype(gbeta.dtype), both[1].astype(ggamma.dtype)

    def statistics(self, mean: Array, var: Array, r: Array, eps: float) -> tuple[Array, Array, Array]:
        """mean, var, r = 1/√(var + eps) (C) of this rank's values -> those of the batch."""
        if self.ranks.size == 1:
            return mean, var, r
        mean64 = mean.astype(np.float64)
        moments = np.stack([mean64, mean64**2 + var]) * self.rows.share
        self.ranks.sum(moments)
        mean64, squares = moments
        var = np.maximum(squares - mean64**2, 0).astype(var.dtype)
        return mean64.astype(mean.dtype), var, 1 / np.sqrt(var + eps)

    def values(self, x: Array) -> int:
        """M: how many values a channel of x (N,C,…) has in the batch."""
        N, C = x.shape[:2]
        if self.ranks.size == 1:
            return x.size // max(1, C)
        here = self.rows.stop - self.rows.start
        if max(1, here) != N:
            raise ValueError(f"batch_norm: expected the {here} rows of this rank's piece of the batch, got {N}")
        return x.size // C // N * self.rows.total


class _Mode(threading.local):
    piece = Piece(ALONE, Rows(0, 1, 1))


_mode = _Mode()


def piece() -> Piece:
    """Of which batch what batch norm sees here and now is a piece."""
    return _mode.piece


@contextmanager
def synchronised(ranks: Communicator, rows: Rows) -> Iterator[None]:
    """Inside, batch norm normalises these rows with the statistics of the whole batch.

    All ranks are inside, and send the same network forward and backward.
    """
    before, _mode.piece = _mode.piece, Piece(ranks, rows)
    try:
        yield
    finally:
        _mode.piece = before
