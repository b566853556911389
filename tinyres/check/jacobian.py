"""The gradient of every output by every element, instead of one number along a random direction. For small shapes.

Column k of the Jacobian is how y changes along the k-th element: two calls of forward. Row n is the gradient of the
n-th output: one backward, with a gy that is 1 there and 0 elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import prod

import numpy as np

from tinyres.check.slopes import Array, Claim, Comparison, Ruler, change, relative_error, size_floor, smooth_outputs

MOST_ENTRIES = 1_000_000


def worst_entry(claim: Claim, i: int, ruler: Ruler) -> Comparison:
    """The entry of the Jacobian ∂y/∂x, x the i-th input, in which backward and forward differ most."""
    x, y_shape = claim.inputs[i], claim.y.shape
    if x.size * claim.y.size > MOST_ENTRIES:
        raise ValueError(f"gradcheck: full=True is for small shapes, got an output {y_shape} of an input {x.shape}")
    if x.size * claim.y.size == 0:
        return Comparison(0.0, 0.0, np.zeros(y_shape), np.zeros(x.shape), floor=1.0)
    analytic = np.array([claim.backward(gy)[i] for gy in units(y_shape)]).reshape(-1, x.size)  # (outputs, elements)
    numeric = np.array([change(claim, i, d, ruler) for d in units(x.shape)]).reshape(x.size, -1).T
    seen = np.ones(analytic.shape, dtype=bool)
    for k, d in enumerate(units(x.shape)):
        if not (relative_error(analytic[:, k], numeric[:, k]) <= ruler.tolerance).all():
            seen[:, k] = smooth_outputs(claim, i, d, ruler.step).ravel()
    analytic, numeric = analytic * seen, numeric * seen
    output, element = np.unravel_index(np.argmax(relative_error(analytic, numeric)), seen.shape)
    gy, d = (next(islice(units(shape), int(k), None)) for shape, k in ((y_shape, output), (x.shape, element)))
    entry = float(analytic[output, element]), float(numeric[output, element])
    return Comparison(*entry, gy, d, size_floor(gy, claim.y), float(seen.mean()))


def units(shape: tuple[int, ...]) -> Iterator[Array]:
    """Every array of this shape with a single 1."""
    for k in range(prod(shape)):
        unit = np.zeros(shape)
        unit.flat[k] = 1
        yield unit
