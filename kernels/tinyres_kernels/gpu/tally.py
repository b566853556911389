"""The mean loss and the right answers of a step on a GPU: the launch of tally.cu."""

from __future__ import annotations

from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.launch import in_order, launch

THREADS = 256  # of tally.cu


def tally(scores: Array, labels: Array, losses: Array, state: Array, loss_of: Array, correct_of: Array) -> None:
    """scores (N,K), labels int32 (N), losses (N) -> write this step's mean loss and right answers into the tables.

    state int32 (2): the step, and 1 once training is broken; a loss that is NaN or Inf breaks it
    loss_of float64 (steps), correct_of int32 (steps): the tables
    """
    N, K = scores.shape
    arguments = in_order(scores), labels, losses, state, loss_of, correct_of, N, K
    launch("tally.cu", "tally", scores, arguments, grid=(1, 1, 1), threads=THREADS, shared=2 * THREADS * 8)
