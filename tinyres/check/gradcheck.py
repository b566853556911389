"""The proof: a hand-written backward pass against the slope that forward really has. And how a proof can fool you.

Take a random direction d for every input and a random weight gy for every output. If the backward pass is right, then

    ⟨gy, (f(x + h·d) − f(x − h·d)) / 2h⟩  =  ⟨gx, d⟩        for a small step h,

one number on each side, whatever the shapes: two calls of f, for an input of three elements or of three million.
slopes.py shows how the left side is measured, blame.py how the guilty op is found among many.

What makes a proof worth something:
  random gy      seeded with ones, a batch norm whose backward returns nothing but zeros passes: its outputs sum to a
                 constant, so zero is the right gradient. The same holds for softmax.
  random d       along ones, only the sum of gx is compared, and a gradient with two elements exchanged passes.
  float64        in float32 the difference itself is off by 1e-2 for this h; a wrong factor of 1.001 hides in that.
  the step       too large, and the curve bends away (h²); too small, and the difference drowns in rounding (1e-16/h).
                 h = 1e-6 leaves some nine digits. A complex step has no such trade: all sixteen.
  no kinks       at ReLU's 0 there is no slope. Such outputs are found, by two step sizes that disagree, and left out.
  twice          the same call again must give the same bits, and leave inputs and gy as they were.

What it cannot see:
  · a forward that computes the wrong thing. backward is held against forward, whatever forward is.
  · a mistake that shows only at other values, shapes or settings than these: on the other side of a ReLU, for a stride
    of 2, in the float32 kernels. Check several.
  · the gradient on a kink itself, since there is none, and what shows in nothing but outputs on kinks.
  · errors below the tolerance, absolute for slopes below 1: of a loss divided by ten million everything passes.
  · one wrong element of very many, if it is off by less than about tolerance · √(number of elements).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tinyres.autograd import Tensor
from tinyres.check.blame import GradientError as GradientError
from tinyres.check.blame import wrong_gradient
from tinyres.check.jacobian import worst_entry
from tinyres.check.purity import expect_full_precision, expect_pure_backward, expect_pure_forward
from tinyres.check.recording import Recorded
from tinyres.check.slopes import Comparison, Ruler, compare
from tinyres.random import generator

TRIES = 3  # points, if kinks hide the outputs


def gradcheck(
    fn: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    step: float = 1e-6,
    tolerance: float = 1e-6,
    seed: int = 0,
    *,
    method: str = "central",
    full: bool = False,
) -> float:
    """Check fn's gradient with respect to every input that requires one; return the largest relative error.

    fn: takes the inputs, returns one Tensor, and must give the same result each time it is called.
    inputs: float64 Tensors. They stay as they are, their `.grad` too.
    method: "central" differences; or "complex", a step along the imaginary axis: exact to 1e-15, but every op's forward
        must be a formula that holds for complex numbers.
    full: every output by every element of the inputs, the whole Jacobian, instead of one random direction.
    Raises GradientError if an error exceeds `tolerance`: it names the op, the input and the element, and a diagnosis.

        >>> from tinyres.nn import functional as F
        >>> x = Tensor(np.linspace(-1.0, 1.0, 6).reshape(2, 3), requires_grad=True)
        >>> gradcheck(lambda x: F.softmax(x, 1), [x]) < 1e-8
        True
        >>> gradcheck(lambda x: F.softmax(x, 1), [x], method="complex") < 1e-15
        True
    """
    wanted = _wanted(inputs)
    if method not in ("central", "complex"):
        raise ValueError(f"gradcheck: expected method 'central' or 'complex', got {method!r}")
    ruler = Ruler(step, tolerance, method == "complex")
    rng = generator(seed, "gradcheck")  # a key of its own: default_rng(0) may be where the inputs came from
    largest = 0.0
    for _ in range(TRIES):
        found = _check(fn, inputs, wanted, rng, ruler, full)
        largest = max(largest, *(comparison.error for comparison in found))
        if all(comparison.seen > 0.5 for comparison in found):
            return largest
        inputs = [_beside(x, rng) if i in wanted else x for i, x in enumerate(inputs)]
    raise ValueError(
        f"gradcheck: most outputs lie on kinks, or curve too much for a step of {step:g}, here and close by; so "
        "the gradient cannot be checked. Check at other inputs, or with a smaller step"
    )


def _wanted(inputs: Sequence[Tensor]) -> list[int]:
    """Which inputs require a gradient."""
    wanted = [i for i, x in enumerate(inputs) if x.requires_grad]
    if not wanted:
        raise ValueError("gradcheck: no input requires a gradient; make them Tensor(..., requires_grad=True)")
    for i, x in enumerate(inputs):
        if x.dtype.kind in "fc" and x.dtype != np.float64:
            raise TypeError(f"gradcheck: expected float64, or rounding hides every error; input {i} is {x.dtype}")
    return wanted


def _check(
    fn: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    wanted: Sequence[int],
    rng: np.random.Generator,
    ruler: Ruler,
    full: bool,
) -> list[Comparison]:
    """fn at one point: run it twice, then hold backward against forward for every input that is wanted."""
    recorded, again = Recorded(fn, inputs), Recorded(fn, inputs)
    expect_pure_forward(recorded, again)
    gy = rng.standard_normal(recorded.y.shape)
    expect_pure_backward(recorded, again, gy)
    if ruler.complex:
        _expect_only_ops(recorded, rng)
    claim, found = recorded.claim(), []
    for i in wanted:
        d = rng.standard_normal(inputs[i].shape)
        found.append(worst_entry(claim, i, ruler) if full else compare(claim, i, gy, d, ruler))
    worst = max(range(len(found)), key=lambda n: found[n].error)
    if not found[worst].error <= ruler.tolerance:
        raise wrong_gradient(recorded, wanted[worst], found[worst], _said(found[worst], full), rng, ruler)
    expect_full_precision(recorded)
    return found


def _expect_only_ops(recorded: Recorded, rng: np.random.Generator) -> None:
    """The complex step runs fn's ops again, not fn; so what fn does must be in its ops."""
    near = [
        leaf.numpy() + 1e-3 * rng.standard_normal(leaf.shape) if leaf.requires_grad else leaf.numpy()
        for leaf in recorded.leaves
    ]
    if not np.allclose(recorded.replay(*near).real, recorded.forward(*near), rtol=1e-9, atol=1e-9):
        raise ValueError(
            "gradcheck: fn takes its inputs' values past the graph (.data, .numpy(), .item(), no_grad()), where "
            "complex numbers cannot follow; use method='central'"
        )


def _beside(x: Tensor, rng: np.random.Generator) -> Tensor:
    """A point close by: where x lies on kinks only, this one hardly ever does."""
    size = float(np.abs(x.numpy()).max(initial=0)) or 1.0
    return Tensor(x.numpy() + 1e-3 * size * rng.standard_normal(x.shape), requires_grad=True)


def _said(found: Comparison, full: bool) -> str:
    numbers = f"backward gives {found.analytic:.9g}, forward really changes by {found.numeric:.9g}"
    where = "along a random direction"
    if full:
        output, element = (list(map(int, np.argwhere(unit)[0])) for unit in (found.gy, found.d))
        where = f"for output {output} by element {element}"
    return f"{where} {numbers} (relative error {found.error:.2g})"
