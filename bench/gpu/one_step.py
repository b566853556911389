"""The launches of one captured step, made one by one for a profiler to look at, for each kind of product:

ncu --profile-from-start off … python -m bench.gpu.one_step bf16 tf32 float32

A graph would be a single launch to it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.gpu.training import captured_steps, one_by_one
from tinyres.scale.precision import using_products

STEPS = 3  # the profiler sees the last


def main(kinds: Sequence[str], model: str = "resnet20", batch_size: int = 128) -> None:
    from cupyx.profiler import profile

    for kind in kinds:
        with using_products(kind):
            steps = captured_steps(model, batch_size, STEPS * batch_size)
            steps.begin(0, 0, [0.01] * STEPS)
            for _ in range(STEPS - 1):
                one_by_one(steps)
            with profile():
                one_by_one(steps)


if __name__ == "__main__":
    main(sys.argv[1:])
