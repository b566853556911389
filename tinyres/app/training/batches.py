"""The batches of a run: this rank's rows of each, normalised as the network learnt them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from tinyres.app.training.errors import NotPrepared
from tinyres.app.training.settings import Settings
from tinyres.autograd import Array
from tinyres.data import Dataset
from tinyres.device import to_device
from tinyres.scale.parallel import Communicator, RankLoader

Batch = tuple[Array, Array]  # images (N, C, H, W) and labels (N)
Batches = Iterator[Batch]
AT_ONCE = 2**22  # numbers in a batch that a GPU evaluates: 1,365 images of CIFAR
MOST_KEPT = 2**28  # numbers that stay on a GPU between two evaluations: a gibibyte


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
        self.device = settings.device

    def epoch(self, epoch: int, start: int = 0) -> Batches:
        """As Loader.epoch. NotPrepared instead of any other error, so that it is not taken for an error in a step."""
        try:
            yield from super().epoch(epoch, start)
        except (Exception, SystemExit) as error:
            raise NotPrepared(f"the next batch could not be prepared ({error!r})") from error

    def to_evaluate(self) -> Batches:
        """The batches of a test, the same every time. On one GPU they are made once and stay there, if they fit."""
        if self.device == "cpu" or self.size > 1 or self.dataset.images.size > MOST_KEPT:
            return self.epoch(0)
        return iter(self.on_gpu)

    @cached_property
    def on_gpu(self) -> list[Batch]:
        """Larger batches: a GPU is done with a small one before the host has launched all kernels for it."""
        images, labels = (to_device(np.concatenate(parts), self.device) for parts in zip(*self.epoch(0), strict=True))
        count = max(self.batch_size, AT_ONCE // images[0].size)
        return [(images[k : k + count], labels[k : k + count]) for k in range(0, len(labels), count)]
