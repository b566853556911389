"""Which rows of a batch are whose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rows:
    """The rows start, …, stop − 1 of a batch of `total`."""

    start: int
    stop: int
    total: int

    @staticmethod
    def of(total: int, rank: int, size: int) -> Rows:
        """This rank's rows: in order, none twice, none left out, and no rank has two more than another.

        >>> [Rows.of(7, rank, size=3).slice for rank in range(3)]
        [slice(0, 2, None), slice(2, 4, None), slice(4, 7, None)]
        """
        return Rows(total * rank // size, total * (rank + 1) // size, total)

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def share(self) -> float:
        """Of the batch, from 0 to 1."""
        return (self.stop - self.start) / self.total
