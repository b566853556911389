"""The ranks that train one network together, as the trainer sees them. One process is a team too, and sends nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from zlib import crc32

import numpy as np

from tinyres.app.training.errors import RunError
from tinyres.app.training.evaluate import Score
from tinyres.device import to_device
from tinyres.nn import Module
from tinyres.scale.parallel import Communicator, FlatGradients, synchronised
from tinyres.scale.parallel.rows import Rows


class Team:
    """ranks: all of them, each with this model    batch_norm: "sync" or "local", see Settings"""

    def __init__(self, ranks: Communicator, model: Module, batch_norm: str):
        self.ranks, self.model = ranks, model
        self.is_first, self.is_alone = ranks.rank == 0, ranks.size == 1
        self.synchronises = batch_norm == "sync" and not self.is_alone
        # With "local" each rank's running statistics follow its own images; their average is everybody's.
        averages = [] if self.synchronises else [b for b in model.buffers() if b.dtype.kind == "f"]
        self.flat = None if self.is_alone else FlatGradients(model.parameters(), averages, numbers=4)

    def normalising(self, rows: Rows) -> AbstractContextManager[None]:
        """Inside, batch norm takes these rows for a piece of the batch, if it is to."""
        return synchronised(self.ranks, rows) if self.synchronises else nullcontext()

    def sum_step(self, own: Score, share: float, should_stop: Callable[[], bool]) -> tuple[Score, bool]:
        """After a backward pass: every gradient is the sum of all ranks'; the batch's score, and whether any must stop.

        own, share: of this rank's rows. All that is sent goes in one message. Alone, nobody is asked about stopping.
        """
        if self.flat is None:
            return own, False
        numbers = own.loss_sum, own.correct, own.images, should_stop()
        loss_sum, correct, images, stops = self.flat.sum(self.ranks, share, numbers)
        return Score(loss_sum, round(correct), round(images)), stops > 0

    def any(self, flag: bool) -> bool:
        """Is it so for any rank?"""
        flags = np.array([flag], np.int64)
        self.ranks.sum(flags)
        return bool(flags[0])

    def expect_equal_weights(self) -> None:
        """RunError: a rank's weights are no longer those of the others, bit for bit."""
        digest = 0
        for tensor in (*self.model.parameters(), *self.model.buffers()):
            digest = crc32(np.ascontiguousarray(to_device(tensor.data, "cpu")).data, digest)
        expect_equal(self.ranks, digest, "its weights are not those of the others: are all machines sound, and alike?")


def total(own: Score, ranks: Communicator) -> Score:
    """The score of all ranks' images."""
    sums = np.array([own.loss_sum, own.correct, own.images])
    ranks.sum(sums)
    return Score(float(sums[0]), int(sums[1]), int(sums[2]))


def expect_equal(ranks: Communicator, number: int, otherwise: str) -> None:
    """RunError, on one rank at least, if the ranks do not all pass the same number below 2⁴⁸."""
    total = np.array([number], np.int64)
    ranks.sum(total)
    if int(total[0]) != ranks.size * number:
        raise RunError(otherwise)
