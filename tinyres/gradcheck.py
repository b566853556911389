"""The proof: a hand-written backward pass against the slope that forward really has.

Take a random direction d for every input and a random weight gy for every output. If the backward pass is right, then

    ⟨gy, (f(x + h·d) − f(x − h·d)) / 2h⟩  =  ⟨gx, d⟩        for a small step h,

one number on each side, whatever the shapes. Random, and never ones: seeded with ones, a batch norm whose backward
returns nothing but zeros passes, since its outputs sum to a constant. In float64; the central difference is off by
O(h²) from the curve and by about 1e-16/h from rounding, so h = 1e-6 leaves some nine digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tinyres.anomaly.saved_arrays import SavedArrays
from tinyres.autograd import Tensor, observe
from tinyres.random import generator


class GradientError(AssertionError):
    """A backward pass that disagrees with its forward."""


def gradcheck(
    fn: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    step: float = 1e-6,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> float:
    """Check fn's gradient with respect to every input that requires one; return the largest relative error.

    fn: takes the inputs, returns one Tensor, and must give the same result each time it is called.
    inputs: float64 Tensors. They stay as they are, their `.grad` too.
    Raises GradientError, naming the worst input, if an error exceeds `tolerance`; AnomalyError if an array that an op
    saved is changed before its backward.

        >>> from tinyres.nn import functional as F
        >>> x = Tensor(np.linspace(-1.0, 1.0, 6).reshape(2, 3), requires_grad=True)
        >>> gradcheck(lambda x: F.softmax(x, 1), [x]) < 1e-8
        True
    """
    wanted = [i for i, x in enumerate(inputs) if x.requires_grad]
    if not wanted:
        raise ValueError("gradcheck: no input requires a gradient; make them Tensor(..., requires_grad=True)")
    for i, x in enumerate(inputs):
        if x.dtype.kind == "f" and x.dtype != np.float64:
            raise TypeError(f"gradcheck: expected float64, or rounding hides every error; input {i} is {x.dtype}")
    rng = generator(seed, "gradcheck")  # a key of its own: default_rng(0) may be where the inputs came from
    analytic, gy = _gradients(fn, inputs, rng)
    errors = {}
    for i in wanted:
        d = rng.standard_normal(inputs[i].shape)
        ahead, behind = (fn(*_moved(inputs, i, s * d)).numpy() for s in (step, -step))
        numeric = np.vdot(gy, ahead - behind) / (2 * step)
        slope = np.vdot(analytic[i], d)
        errors[i] = (abs(slope - numeric) / max(1.0, abs(slope), abs(numeric)), slope, numeric)
    worst = max(errors, key=lambda i: np.nan_to_num(errors[i][0], nan=np.inf))  # a NaN is worse than any number
    error, slope, numeric = errors[worst]
    if not error <= tolerance:
        raise GradientError(
            f"the gradient of input {worst}, shape {inputs[worst].shape}, is wrong: along a random direction "
            f"backward gives {slope:.9g}, forward really changes by {numeric:.9g} (relative error {error:.2g})"
        )
    return float(error)


def _gradients(
    fn: Callable[..., Tensor], inputs: Sequence[Tensor], rng: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray]:
    """What backward says for each input (zeros where nothing arrives), and the random gy that it was given."""
    leaves = [Tensor(x.numpy().copy(), requires_grad=x.requires_grad) for x in inputs]
    with observe(SavedArrays()):  # an op that writes into another's input is named at once
        y = fn(*leaves)
        gy = rng.standard_normal(y.shape)
        y.backward(gy)
    return [np.zeros(x.shape) if x.grad is None else x.grad for x in leaves], gy


def _moved(inputs: Sequence[Tensor], moved: int, by: np.ndarray) -> list[Tensor]:
    return [Tensor(x.numpy() + by) if i == moved else Tensor(x.numpy()) for i, x in enumerate(inputs)]
