"""y = a + b for two arrays that lie in memory alike (see elements.py).

The additions are nothing beside the trips to memory, and fresh memory costs more than used. Twelve sums of 8 MiB that
all live at once, as in a training step, on one core of an AMD EPYC: 1.3 ms each as NumPy's a + b, 0.35 ms here.
"""

from __future__ import annotations

import numpy as np
from numba import prange

import tinyres_kernels.array as array
from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.elements import covered, empty_like, flat

Array = np.ndarray


def add(a: Array, b: Array) -> Array:
    """a, b -> y, of the shape and the type that both broadcast to"""
    if not covered(a, b):
        return array.add(a, b)
    y = empty_like(a)
    added(flat(a), flat(b), flat(y))
    return y


@compiled_parallel
def added(a, b, y):
    """y = a + b"""
    for i in prange(y.size):
        y[i] = a[i] + b[i]
