"""All gradients of a network in one array, so that a step sends one message instead of one for each parameter.

A message of n bytes takes α + n/β seconds. Hundreds of small messages would mostly pay for α, the time of an empty one
(docs/cluster.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from tinyres.autograd import Array, Tensor
from tinyres.scale.parallel.communicator import Communicator


class FlatGradients:
    """parameters: their gradients are summed over the ranks
    averages:   other tensors; each becomes its average over the ranks, weighted by their shares of the batch
    numbers:    how many numbers are summed in the same message

    buffer = [ gradient │ gradient │ … │ average │ … │ numbers ]       in the parameters' dtype
    """

    def __init__(self, parameters: Iterable[Tensor], averages: Iterable[Tensor] = (), numbers: int = 0):
        self.parameters, self.averages = list(parameters), list(averages)
        tensors = [*self.parameters, *self.averages]
        ends = np.cumsum([0, *(tensor.numel() for tensor in tensors)])
        first = tensors[0].data
        self.buffer: Array = np.zeros_like(first, shape=int(ends[-1]) + numbers)
        parts = [self.buffer[start:stop] for start, stop in pairwise(ends.tolist())]
        views = [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
        self.gradients, self.means = views[: len(self.parameters)], views[len(self.parameters) :]
        self.numbers = self.buffer[int(ends[-1]) :]

    def sum(self, ranks: Communicator, share: float, numbers: Sequence[float]) -> list[float]:
        """Replace every `.grad` by its sum over all ranks, with one message. Returns the sums of the numbers.

        share: the fraction of the batch that this rank has. A parameter without a gradient still has none afterwards.
        """
        for view, parameter in zip(self.gradients, self.parameters, strict=True):
            view[...] = 0 if parameter.grad is None else parameter.grad
        for view, tensor in zip(self.means, self.averages, strict=True):
            view[...] = tensor.data
            view *= share
        self.numbers[:] = np.asarray(numbers, like=self.buffer)
        ranks.sum(self.buffer)
        for view, parameter in zip(self.gradients, self.parameters, strict=True):
            if parameter.grad is not None:
                parameter.grad = view  # valid until the next step, which makes new gradients
        for view, tensor in zip(self.means, self.averages, strict=True):
            tensor.data[...] = view
        return self.numbers.tolist()
