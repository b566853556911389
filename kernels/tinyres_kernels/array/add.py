"""y = a + b in array code."""

from tinyres_kernels.contract import Array


def add(a: Array, b: Array) -> Array:
    return a + b
