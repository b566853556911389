"""y = a + b in array code."""

from __future__ import annotations

from tinyres_kernels.contract import Array


def add(a: Array, b: Array) -> Array:
    return a + b
