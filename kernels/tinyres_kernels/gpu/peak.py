"""As many multiply-adds as the GPU can do: the launch of peak.cu."""

from __future__ import annotations

from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.launch import THREADS, launch

SUMS = 8  # of peak.cu
# Of a thread in one round. A product of 16 × 8 × 8 (TF32) or 16 × 8 × 16 (bf16) is the work of 32 threads.
FLOP_PER_ROUND = {"float32": 2 * SUMS, "tf32": 2 * SUMS * 16 * 8 * 8 // 32, "bf16": 2 * SUMS * 16 * 8 * 16 // 32}


def multiply_adds(x: Array, rounds: int, kind: str = "float32") -> None:
    """x (n), n a multiple of 256: one thread for each number. Its SUMS sums start from 0, and x becomes their total.

    float32: s ← s·x + x.  tf32, bf16: S ← S + A·B, where all factors are x rounded
    """
    defines = () if kind == "float32" else (f"FACTOR={kind}",)
    launch("peak.cu", "multiply_adds", x, (x, rounds), grid=(len(x) // THREADS, 1, 1), defines=defines)
