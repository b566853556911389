"""What a step's scores come to, on a GPU: the launch of tally.cu."""

from __future__ import annotations

from typing import Any

from tinyres_kernels.gpu.launch import in_order, launch

Array = Any
THREADS = 256  # of tally.cu


def tally(scores: Array, labels: Array, losses: Array, state: Array, loss_of: Array, correct_of: Array) -> None:
    """scores (N,K), labels int32 (N), losses (N) -> this step's mean loss and right answers, in the tables.

    state int32 (2): the step; and it is set to broken if the loss is NaN or Inf
    loss_of float64 (steps), correct_of int32 (steps): one place for each step
    """
    N, K = scores.shape
    arguments = in_order(scores), labels, losses, state, loss_of, correct_of, N, K
    launch("tally.cu", "tally", scores, arguments, grid=(1, 1, 1), threads=THREADS, shared=2 * THREADS * 8)
