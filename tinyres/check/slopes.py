"""How steep a function really is, measured on its forward alone; and whether a backward pass says the same.

d is a direction in the space of one input x, and f a function of arrays. Three ways to see how f changes along d:

    one-sided       (f(x + h·d) − f(x)) / h              off by about h·f″/2
    central         (f(x + h·d) − f(x − h·d)) / 2h       off by about h²·f‴/6, and, by rounding, 1e-16/h
    complex step    Im f(x + i·h·d) / h                  off by about h²·f‴/6, and not by rounding: nothing is
                                                         subtracted, so h may be 1e-30

(The last: Squire & Trapp 1998. f must be a formula that also holds for complex numbers.)

At a kink, where ReLU is at 0 or two values tie in a max-pool, there is no slope to be right about. Kinks show where
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

COMPLEX_STEP = 1e-30
UNEVEN = 1e-6  # how far, relatively, two step sizes may disagree: a kink smaller than this does no harm


class Ruler(NamedTuple):
    """How a slope is measured, and how far backward may be from it."""

    step: float
    tolerance: float
    complex: bool = False


class Claim(NamedTuple):
    """What a backward pass says of a forward pass, at these inputs."""

    forward: Forward  # arrays -> y
    backward: Callable[[Array], Sequence[Array | None]]  # gy -> the gradient of ⟨gy, y⟩ for each input
    inputs: tuple[Array, ...]
    y: Array  # forward(*inputs)
    replay: Forward  # forward for complex arrays


class Comparison(NamedTuple):
    """One number, as backward has it and as forward has it."""

    analytic: float
    numeric: float
    gy: Array  # the weights of the outputs: 0 where an output lies on a kink
    d: Array  # the direction in the input's space
    floor: float  # numbers below it count as small: see relative_error
    seen: float = 1.0  # the share of the outputs that lie on no kink

    @property
    def error(self) -> float:
        return float(relative_error(self.analytic, self.numeric, self.floor))


def relative_error(a: Any, b: Any, floor: float = 1.0) -> Any:
    """|a − b| relative to the larger of them, or to `floor` if both are small; NaN is infinitely wrong."""
    error = np.abs(a - b) / np.maximum(floor, np.maximum(np.abs(a), np.abs(b)))
    return np.where(np.isnan(error), np.inf, error)[()]


def size_floor(gy: Array, y: Array) -> float:
    """1; or a thousandth of ⟨gy, y⟩'s size if that is more: of large outputs, rounding leaves no better difference."""
    return max(1.0, 1e-3 * float(np.linalg.norm((gy * y).ravel())))


def moved(inputs: Sequence[Array], i: int, by: Array) -> list[Array]:
    """The inputs, with `by` added to the i-th."""
    return [x + by if k == i else x for k, x in enumerate(inputs)]


def central(forward: Forward, inputs: Sequence[Array], i: int, d: Array, step: float) -> Array:
    """How every output changes along d, an array of y's shape."""
    return (forward(*moved(inputs, i, step * d)) - forward(*moved(inputs, i, -step * d))) / (2 * step)


def complex_step(forward: Forward, inputs: Sequence[Array], i: int, d: Array, step: float = COMPLEX_STEP) -> Array:
    """The same, by a step along the imaginary axis. `forward` must take complex arrays and return one."""
    return forward(*moved(inputs, i, 1j * step * d)).imag / step


def change(claim: Claim, i: int, d: Array, ruler: Ruler) -> Array:
    """How every output changes along d in the i-th input, by the ruler's method."""
    if ruler.complex:
        return complex_step(claim.replay, claim.inputs, i, d)
    return central(claim.forward, claim.inputs, i, d, ruler.step)


def smooth_outputs(claim: Claim, i: int, d: Array, step: float) -> Array:
    """For every output: is it free of kinks along d, within ±step of the inputs? Booleans of y's shape."""
    here, D, E = claim.y, [], []
    for h in (step, step / 2):
        ahead, behind = (claim.forward(*moved(claim.inputs, i, s * d)) for s in (h, -h))
        D.append((ahead - behind) / (2 * h))
        E.append((ahead - here) / h - (here - behind) / h)
    unevenness = np.abs(D[0] - D[1]) + np.abs(E[0] - 2 * E[1])
    return ~(unevenness > UNEVEN * np.maximum(1, np.maximum(np.abs(D[0]), np.abs(here))))


def compare(claim: Claim, i: int, gy: Array, d: Array, ruler: Ruler) -> Comparison:
    """⟨gx, d⟩ beside ⟨gy, change of y along d⟩ for input i; if they differ, without the outputs that lie on kinks."""
    dy = change(claim, i, d, ruler)

    def comparison(gy: Array, seen: float) -> Comparison:
        return Comparison(_dot(claim.backward(gy)[i], d), _dot(gy, dy), gy, d, size_floor(gy, claim.y), seen)

    found = comparison(gy, 1.0)
    if found.error <= ruler.tolerance:
        return found
    smooth = smooth_outputs(claim, i, d, ruler.step)
    return found if smooth.all() else comparison(gy * smooth, float(smooth.mean()))


def _dot(a: Array | None, b: Array) -> float:
    return 0.0 if a is None else float(np.vdot(a, b))
