"""SGD over one flat array of all parameters on a GPU: the launches of sgd.cu, and the array's layout."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.graph import meet
from tinyres_kernels.gpu.launch import launch

PAGE = 256  # of sgd.cu


def pages_of(shapes: Sequence[tuple[int, ...]]) -> int:
    """How many pages they take, where each begins on a new page."""
    return sum(-(-prod(shape) // PAGE) for shape in shapes)


def views(flat: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """flat (P,256) -> a view for each shape.

    The weights of a convolution, (O,C,KH,KW), have their bytes in the order KH, KW, C, O, as forward reads them and as
    their gradients come.
    """
    found, page = [], 0
    for shape in shapes:
        numbers = flat[page : page + pages_of([shape])].reshape(-1)[: prod(shape)]
        if len(shape) == 4:
            O, C, KH, KW = shape
            found.append(numbers.reshape(KH, KW, C, O).transpose(3, 2, 0, 1))
        else:
            found.append(numbers.reshape(shape))
        page += pages_of([shape])
    return found


def page_table(gradients: Sequence[Array]) -> tuple[Array, Array]:
    """For every page the address of its gradient, int64, and the number of values in it, int32."""
    addresses, counts = [], []
    for gradient in gradients:
        for start in range(0, gradient.size, PAGE):
            addresses.append(gradient.data.ptr + start * gradient.dtype.itemsize)
            counts.append(min(PAGE, gradient.size - start))
    return np.array(addresses, np.int64), np.array(counts, np.int32)


def step(
    pages: Array,
    counts: Array,
    rates: Array,
    state: Array,
    w: Array,
    v: Array,
    momentum: float,
    decay: float,
    nesterov: bool,
) -> None:
    """Update w and v and count the step. If a gradient is NaN or Inf, note that and leave w and v as they are.

    pages int64 (P), counts int32 (P): see page_table.    rates (steps).    state int32 (2).    w, v (P,256)
    """
    meet()
    grid = len(w), 1, 1
    launch("sgd.cu", "find_broken", w, (pages, counts, state), grid=grid, threads=PAGE)
    arguments = pages, counts, rates, state, w, v, float(momentum), float(decay), int(nesterov)
    launch("sgd.cu", "sgd", w, arguments, grid=grid, threads=PAGE)
    launch("sgd.cu", "next_step", w, (state,), grid=(1, 1, 1), threads=1)
