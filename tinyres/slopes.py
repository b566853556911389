"""How steep a function really is, measured on its forward alone; and whether a backward pass says the same.

d is a direction in the space of one input x, and f a function of arrays. Three ways to see how f changes along d:

    one-sided       (f(x + h·d) − f(x)) / h              off by about h·f″/2
    central         (f(x + h·d) − f(x − h·d)) / 2h       off by about h²·f‴/6, and by 1e-16/h: what subtracting rounds away
    complex step    Im f(x + i·h·d) / h                  off by about h²·f‴/6, and nothing is subtracted: h may be 1e-30

(The last: Squire & Trapp 1998. f must be a formula that also holds for complex numbers.)

At a kink, where ReLU stands at 0 or two values tie in a max-pool, there is no slope to be right about. Kinks show where
two step sizes disagree. With D(h) the central difference and E(h) the difference of the two one-sided ones, a smooth f
has D(h) ≈ D(h/2), and E(h) ≈ h·f″ ≈ 2·E(h/2). A kink exactly at x leaves E as large however small h is; a kink
near x, within one step and not within the other, spoils both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Forward = Callable[..., Array]
Derivative = Callable[[int, Array], Array]  # (input, direction) -> how every output changes along it

COMPLEX_STEP = 1e-30
UNEVEN = 1e-6  # how far, relatively, two step sizes may disagree: a kink smaller than this does no harm


class Claim(NamedTuple):
    """What a backward pass says of a forward pass, at these inputs."""

    forward: Forward  # arrays -> y
    backward: Callable[[Array], Sequence[Array | None]]  # gy -> the gradient of ⟨gy, y⟩ for each input
    inputs: tuple[Array, ...]


class Comparison(NamedTuple):
    """One number, as backward has it and as forward has it."""

    analytic: float
    numeric: float
    gy: Array  # the weights of the outputs: 0 where an output stands on a kink
    d: Array  # the direction in the input's space
    seen: float = 1.0  # the share of the outputs that stand on none

    @property
    def error(self) -> float:
        return float(relative_error(self.analytic, self.numeric))


def relative_error(a: Any, b: Any) -> Any:
    """|a − b| relative to the larger of them, or to 1 if both are small; NaN is infinitely wrong. Numbers or arrays."""
    error = np.abs(a - b) / np.maximum(1, np.maximum(np.abs(a), np.abs(b)))
    return np.where(np.isnan(error), np.inf, error)[()]


def moved(inputs: Sequence[Array], i: int, by: Array) -> list[Array]:
    """The inputs, with `by` added to the i-th."""
    return [x + by if k == i else x for k, x in enumerate(inputs)]


def central(forward: Forward, inputs: Sequence[Array], i: int, d: Array, step: float) -> Array:
    """How every output changes along d, an array of y's shape."""
    return (forward(*moved(inputs, i, step * d)) - forward(*moved(inputs, i, -step * d))) / (2 * step)


def complex_step(forward: Forward, inputs: Sequence[Array], i: int, d: Array, step: float = COMPLEX_STEP) -> Array:
    """The same, by a step along the imaginary axis. `forward` must take complex arrays and return one."""
    inputs = [x.astype(np.complex128) if x.dtype.kind == "f" else x for x in inputs]
    return forward(*moved(inputs, i, 1j * step * d)).imag / step


def smooth_outputs(forward: Forward, inputs: Sequence[Array], i: int, d: Array, step: float) -> Array:
    """For every output: is it free of kinks along d, within ±step of the inputs? Booleans of y's shape."""
    here = forward(*inputs)
    D, E = [], []
    for h in (step, step / 2):
        ahead, behind = (forward(*moved(inputs, i, s * d)) for s in (h, -h))
        D.append((ahead - behind) / (2 * h))
        E.append((ahead - here) / h - (here - behind) / h)
    unevenness = np.abs(D[0] - D[1]) + np.abs(E[0] - 2 * E[1])
    return ~(unevenness > UNEVEN * np.maximum(1, np.maximum(np.abs(D[0]), np.abs(here))))


def compare(
    claim: Claim, i: int, gy: Array, d: Array, derivative: Derivative, step: float, tolerance: float
) -> Comparison:
    """⟨gx, d⟩ beside ⟨gy, how y changes along d⟩, for input i. If they differ, once more without the outputs on kinks."""
    dy = derivative(i, d)
    found = Comparison(_dot(claim.backward(gy)[i], d), _dot(gy, dy), gy, d)
    if found.error <= tolerance:
        return found
    smooth = smooth_outputs(claim.forward, claim.inputs, i, d, step)
    if smooth.all():
        return found
    gy = gy * smooth
    return Comparison(_dot(claim.backward(gy)[i], d), _dot(gy, dy), gy, d, seen=float(smooth.mean()))


def _dot(a: Array | None, b: Array) -> float:
    return 0.0 if a is None else float(np.vdot(a, b))
