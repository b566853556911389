"""A loader for one of several ranks: of every batch it prepares this rank's rows."""

from dataclasses import KW_ONLY, dataclass

from tinyres.data import Loader
from tinyres.scale.parallel.rows import Rows


@dataclass(eq=False)
class RankLoader(Loader):
    """A Loader that prepares the rows of rank `rank` of `size`; none, where a batch has fewer rows than ranks.

    Order, crops and flips are drawn for the whole batch. So the rows of all ranks together are the Loader's batch.
    """

    _: KW_ONLY
    rank: int = 0
    size: int = 1

    def rows(self, step: int) -> Rows:
        """This rank's rows of the batch of this step."""
        begin = step * self.batch_size
        return Rows.of(min(self.batch_size, len(self.dataset) - begin), self.rank, self.size)

    def kept(self, step: int) -> slice:
        return self.rows(step).slice
