"""Differentiation without a graph, to hold the engine against: numbers that carry their slope along (forward mode).

A Dual is a value and how fast it changes when the inputs move along some direction. Each operation works out both at
once, from left to right; no order of sweeping, no adding up of gradients, no memory of what was. The names are
Tensor's, so that one line of code runs on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Dual:
    def __init__(self, value: Any, slope: Any = 0.0):
        self.value = np.asarray(value, np.float64)
        self.slope = np.broadcast_to(slope, self.value.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def __add__(self, other: Any) -> Dual:
        other = as_dual(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __mul__(self, other: Any) -> Dual:
        other = as_dual(other)
        return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)

    def __sub__(self, other: Any) -> Dual:
        return self + as_dual(other) * -1

    def __truediv__(self, other: Dual) -> Dual:
        quotient = self.value / other.value
        return Dual(quotient, (self.slope - quotient * other.slope) / other.value)

    def __matmul__(self, other: Dual) -> Dual:
        return Dual(self.value @ other.value, self.slope @ other.value + self.value @ other.slope)

    def __getitem__(self, index: Any) -> Dual:
        return Dual(self.value[index], self.slope[index])

    def exp(self) -> Dual:
        return Dual(np.exp(self.value), self.slope * np.exp(self.value))

    def tanh(self) -> Dual:
        return Dual(np.tanh(self.value), self.slope / np.cosh(self.value) ** 2)

    def sqrt(self) -> Dual:
        return Dual(np.sqrt(self.value), self.slope / (2 * np.sqrt(self.value)))

    def relu(self) -> Dual:
        return self * (self.value > 0)

    def sum(self, dim: int, keepdim: bool) -> Dual:
        return Dual(self.value.sum(dim, keepdims=keepdim), self.slope.sum(dim, keepdims=keepdim))

    def mean(self) -> Dual:
        return Dual(self.value.mean(), self.slope.mean())

    def reshape(self, *shape: int) -> Dual:
        return Dual(self.value.reshape(shape), self.slope.reshape(shape))

    def transpose(self, dim0: int, dim1: int) -> Dual:
        return Dual(self.value.swapaxes(dim0, dim1), self.slope.swapaxes(dim0, dim1))

    def detach(self) -> Dual:
        return Dual(self.value)


def as_dual(value: Any) -> Dual:
    return value if isinstance(value, Dual) else Dual(value)


def cat(several: Sequence[Dual], dim: int) -> Dual:
    return Dual(np.concatenate([x.value for x in several], dim), np.concatenate([x.slope for x in several], dim))
