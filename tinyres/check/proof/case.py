"""One thing to prove: a function, and arrays to prove it at."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tinyres.autograd import Tensor


class Case(NamedTuple):
    """subject: an op or a network. setting: which of several ways to call it.

    inputs: by name, in the order in which fn takes them; float64.
    linear: the names of those in which fn is linear, so that the adjoint identity holds.
    """

    subject: str
    setting: str
    fn: Callable[..., Tensor]
    inputs: dict[str, np.ndarray]
    linear: tuple[str, ...] = ()

    def tensors(self, name: str, dtype: str = "float64") -> list[Tensor]:
        """The inputs; a gradient is asked of the one with this name."""
        return [Tensor(a.astype(dtype), requires_grad=key == name) for key, a in self.inputs.items()]

    def __str__(self) -> str:
        return f"{self.subject}, {self.setting}" if self.setting else self.subject
