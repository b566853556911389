"""Broadcasting, and its backward: what forward repeated, backward sums."""

from typing import Any

import numpy as np

from tinyres.autograd import Array, Input, Tensor


def as_operands(op: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """a and b as Tensors that broadcast together.

    A Python number takes the other's dtype, and integers that of a float tensor, as in torch: in NumPy an int64 array
    would turn float32 into float64.
    """
    if not isinstance(a, Tensor):
        a = _constant(a, b)
    if not isinstance(b, Tensor):
        b = _constant(b, a)
    a, b = _beside(a, b), _beside(b, a)
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ValueError(f"{op}: shapes {a.shape} and {b.shape} do not broadcast together") from None
    return a, b


def _constant(value: Any, other: Tensor) -> Tensor:
    if isinstance(value, (int, float)) and not (isinstance(value, float) and other.dtype.kind in "iub"):
        return Tensor(np.asarray(value, dtype=other.dtype, like=other.data))
    return Tensor(value)


def _beside(x: Tensor, other: Tensor) -> Tensor:
    return Tensor(x.data.astype(other.dtype)) if x.dtype.kind in "iub" and other.dtype.kind == "f" else x


def sum_to(gy: Array, x: Input) -> Array:
    """gy summed over the axes along which x was repeated: the gradient of x, in x's shape and dtype.

    y[i,j] = x[j] repeats x along i, so every y[i,j] passes gy[i,j] to the same x[j]: gx[j] = Σ_i gy[i,j].
    """
    new = gy.ndim - len(x.shape)
    repeated = [new + axis for axis, length in enumerate(x.shape) if length == 1 and gy.shape[new + axis] != 1]
    if new or repeated:
        gy = gy.sum(axis=(*range(new), *repeated), keepdims=True).reshape(x.shape)
    return gy.astype(x.dtype, copy=False)  # float32 + float64 gives float64; each input gets its own dtype back
