"""The proof for linear functions, without a step size: backward is the adjoint, the transposed map.

If y = A x + c, the gradient of ⟨gy, y⟩ is Aᵀ gy, and whatever u and gy are,

    ⟨A u, gy⟩ = ⟨u, Aᵀ gy⟩

up to rounding. So it holds in float32 too, in the very kernels that training runs. Convolution is linear in x and,
separately, in w: two identities. Matrix products, sums, average pooling, padding, dropout (for a given mask) and the
residual addition are linear as well; ReLU, max-pool and batch norm are not. What it cannot see: as in gradcheck.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tinyres.autograd import Array, Tensor
from tinyres.check.blame import GradientError, failed_backward
from tinyres.check.recording import Recorded
from tinyres.check.slopes import central, moved
from tinyres.random import generator

ROUNDINGS = 1000  # the tolerance, in units of the dtype's precision: 1e-4 in float32, 2e-13 in float64


def adjoint_check(fn: Callable[..., Tensor], inputs: Sequence[Tensor], seed: int = 0) -> float:
    """Check that backward is the adjoint of fn, in every input that requires a gradient; return the largest error.

    fn: takes the inputs, returns one Tensor; linear in each of these inputs while the others stay (constants may be
        added). ValueError if it is not.
    inputs: Tensors of any one float dtype. They stay as they are.
    The error is that of the identity, relative to the size of its terms. Raises GradientError if rounding cannot
    explain it.

        >>> x = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
        >>> adjoint_check(lambda x: x.mean(1), [x]) < 1e-6
        True
    """
    wanted = [i for i, x in enumerate(inputs) if x.requires_grad]
    if not wanted:
        raise ValueError("adjoint_check: no input requires a gradient; make them Tensor(..., requires_grad=True)")
    rng = generator(seed, "adjoint")
    recorded = Recorded(fn, inputs)
    gy = _like(rng, recorded.y)
    try:
        gradients = recorded.backward(gy)
    except Exception as error:
        raise failed_backward(recorded, error) from error
    errors = [_error(recorded, i, _like(rng, inputs[i]), gy, gradients[i], _like(rng, inputs[i])) for i in wanted]
    return max(errors)


def _error(recorded: Recorded, i: int, u: Array, gy: Array, gx: Array, elsewhere: Array) -> float:
    Au = _linear_part(recorded, i, u, elsewhere)
    forward, backward = ((a.astype(np.float64) * b).ravel() for a, b in ((Au, gy), (gx, u)))
    there, back = forward.sum(), backward.sum()
    error = abs(there - back) / max(float(np.linalg.norm(forward)), float(np.linalg.norm(backward)), 1e-300)
    if not error <= _rounding(gy, u):
        ops = {call.name for call in recorded.calls}
        raise GradientError(
            f"backward is not the adjoint of forward in input {i}, shape {u.shape}: ⟨A u, gy⟩ = {there:.9g}, but "
            f"⟨u, Aᵀ gy⟩ = {back:.9g} (relative error {error:.2g} in {u.dtype}); ops: {', '.join(sorted(ops))}",
            op=ops.pop() if len(ops) == 1 else "",
            input=i,
            analytic=float(back),
            numeric=float(there),
        )
    return float(error)


def _linear_part(recorded: Recorded, i: int, u: Array, elsewhere: Array) -> Array:
    """A u. Of a straight line the central difference is exact for any step, 1 too, and the same at any other point."""
    Au = central(recorded.forward, recorded.inputs, i, u, 1.0)
    again = central(recorded.forward, moved(recorded.inputs, i, elsewhere), i, u, 1.0)
    rounding = _rounding(Au, u)
    if not np.allclose(
        Au, again, rtol=rounding, atol=rounding * max(1.0, float(np.abs(recorded.y.numpy()).max(initial=0)))
    ):
        raise ValueError(f"adjoint_check: fn is not linear in input {i}; use gradcheck")
    return Au


def _rounding(*arrays: Array) -> float:
    """What rounding may do, in the coarsest of the dtypes."""
    return ROUNDINGS * max(float(np.finfo(a.dtype).eps) for a in arrays)


def _like(rng: np.random.Generator, x: Tensor) -> Array:
    return rng.standard_normal(x.shape).astype(x.dtype)
