"""Tensors from nothing, under torch's names."""

from typing import Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.random import next_generator


def tensor(data: Any, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of `data`: an array, a number or nested lists. (Tensor(array) holds the array itself.)"""
    return Tensor(Tensor(data).data.copy(), requires_grad)


def zeros(*shape: int, requires_grad: bool = False) -> Tensor:
    """float32 zeros. `zeros(2, 3)`"""
    return Tensor(np.zeros(shape, np.float32), requires_grad)


def ones(*shape: int, requires_grad: bool = False) -> Tensor:
    """float32 ones. `ones(2, 3)`"""
    return Tensor(np.ones(shape, np.float32), requires_grad)


def randn(*shape: int, requires_grad: bool = False) -> Tensor:
    """float32 from the normal distribution, other numbers at each call. `randn(2, 3)`"""
    return Tensor(next_generator("randn").standard_normal(shape, np.float32), requires_grad)
