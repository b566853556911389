"""The most that this processor can do: a loop of multiply-adds that touches no memory.

No kernel multiplies and adds faster than this loop, so a kernel is measured by how close it comes.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.conv2d_tile import Tile
from tinyres_kernels.cpu.host import REGISTERS, VECTOR_BYTES

# Independent sums, so that none waits for another: a multiply-add takes 4 or 5 cycles and two are started in each, so 8
# to 10 must be under way. The sums take all registers but the few that hold the factors.
SUMS = REGISTERS - 4
FLOP_PER_ROUND = 2 * SUMS * (VECTOR_BYTES // 4)  # a multiplication and an addition in every lane of every sum; float32


@intrinsic
def burn(typingctx, rounds, factor):
    """`rounds` times sum = sum · factor + factor, in every lane of SUMS registers; returns one lane of their total.

    The factor is known only at run time and the total is returned: otherwise the compiler would work it out itself, or
    drop the loop.
    """
    signature = types.float32(types.int64, types.float32)

    def generate(context, b, signature, args):
        rounds, factor = args
        tile = Tile(context, b, types.float32, SUMS, 1)
        sums = [row[0] for row in tile.sums]
        factor = tile.in_every_lane(factor)
        for k, total in enumerate(sums):  # they start differently, since equal sums would be computed only once
            b.store(ir.Constant(tile.vector, [float(k)] * tile.lanes), total)
        with cgutils.for_range(b, rounds):
            for total in sums:
                b.store(b.call(tile.fma, [b.load(total), factor, factor]), total)
        everything = b.load(sums[0])
        for total in sums[1:]:
            everything = b.fadd(everything, b.load(total))
        return b.extract_element(everything, ir.Constant(ir.IntType(32), 0))

    return signature, generate


@compiled_parallel
def multiply_adds(rounds, totals):
    """Every thread does rounds · FLOP_PER_ROUND operations. totals: one number for each thread."""
    for thread in prange(len(totals)):
        totals[thread] = burn(rounds, np.float32(0.5))
