"""How wrong a measured slope is, by step size: why h = 1e-6, and why a complex step needs no choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinyres.check.proof.case import Case
from tinyres.check.proof.ops import op_cases
from tinyres.check.recording import Recorded
from tinyres.check.slopes import central, complex_step
from tinyres.random import generator

STEPS = [10.0**-k for k in range(1, 15)]
SHOWN = ("Exp", "Softmax", "BatchNorm", "Conv2d")  # curved, more curved, most curved, and straight


class Sweep(NamedTuple):
    """An op's errors, one for each step, relative to the slope that backward gives."""

    op: str
    steps: Sequence[float]
    central: list[float]
    complex: list[float]


def sweeps() -> list[Sweep]:
    """One for each of SHOWN, in its first setting and with respect to its first input."""
    first = {case.subject: case for case in reversed(op_cases())}
    return [sweep(first[op], STEPS) for op in SHOWN]


def sweep(case: Case, steps: Sequence[float]) -> Sweep:
    name = next(iter(case.inputs))
    recorded = Recorded(case.fn, case.tensors(name))
    rng = generator(0, f"steps {case.subject}")
    gy, d = rng.standard_normal(recorded.y.shape), rng.standard_normal(recorded.inputs[0].shape)
    slope = np.vdot(recorded.backward(gy)[0], d)

    def error(change: np.ndarray) -> float:
        return float(abs(np.vdot(gy, change) - slope) / abs(slope))

    return Sweep(
        case.subject,
        steps,
        [error(central(recorded.forward, recorded.inputs, 0, d, step)) for step in steps],
        [error(complex_step(recorded.replay, recorded.inputs, 0, d, step)) for step in steps],
    )
