"""The batches of a run: this rank's rows of each, normalised as the network learnt them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyres.app.training.errors import NotPrepared
from tinyres.app.training.settings import Settings
from tinyres.data import Dataset
from tinyres.scale.parallel import Communicator, RankLoader

Batches = Iterator[tuple[np.ndarray, np.ndarray]]  # images (N, C, H, W) and labels (N)


class RunLoader(RankLoader):
    """A loader as the settings ask for it. Training batches are shuffled and augmented.

    mean, std: (C), of the images that the network learns from
    """

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        mean: np.ndarray,
        std: np.ndarray,
        ranks: Communicator,
        training: bool = False,
    ):
        super().__init__(
            dataset,
            settings.batch_size,
            seed=settings.seed,
            shuffle=training,
            augment=training,
            mean=mean,
            std=std,
            dtype=settings.dtype,
            limit=settings.limit_batches,
            rank=ranks.rank,
            size=ranks.size,
        )

    def epoch(self, epoch: int, start: int = 0) -> Batches:
        """As Loader.epoch. NotPrepared instead of any other error, so that it is not taken for an error in a step."""
        try:
            yield from super().epoch(epoch, start)
        except (Exception, SystemExit) as error:
            raise NotPrepared(f"the next batch could not be prepared ({error!r})") from error
