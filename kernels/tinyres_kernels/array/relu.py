"""y = max(x, 0) in array code."""

from typing import Any

import numpy as np

Array = Any


def relu(x: Array) -> Array:
    """x -> y, of x's shape"""
    return np.maximum(x, 0)


def relu_grad_x(gy: Array, y: Array) -> Array:
    """gy, y -> gx, all of one shape"""
    return gy * (y > 0)  # np.where says it better and takes ten times the time
