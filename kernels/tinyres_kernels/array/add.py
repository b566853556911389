"""y = a + b in array code."""

from typing import Any

Array = Any


def add(a: Array, b: Array) -> Array:
    """a, b -> y, of the shape and the type that both broadcast to"""
    return a + b
