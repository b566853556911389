"""Batches for training: shuffled, augmented, normalised, and prepared by a second thread while the network works."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from tinyres.data.augment import crop, draw_crops, draw_flips, flip, normalise
from tinyres.data.dataset import Dataset
from tinyres.random import generator

T = TypeVar("T")


@dataclass(eq=False)
class Loader:
    """Cuts a data set into batches, one epoch at a time.

    dataset:    what to read
    batch_size: images in a batch; the last batch of an epoch has what is left
    seed:       of the order, the crops and the flips
    shuffle:    a new random order every epoch
    augment:    random crop, by at most 4 pixels and an eighth of the width, and flip (see tinyres.data.augment)
    mean, std:  (C,) for the normalisation, in units of the full range 0…1; both None: pixels are only scaled to 0…1.
                A test set is normalised with the *training* set's figures, so they are never computed here
    dtype:      of the batches
    drop_last:  leave a last, smaller batch out
    limit:      at most this many batches an epoch (for a quick look)
    prefetch:   batches prepared ahead in a second thread; 0: each is prepared when it is asked for

    The order depends on (seed, epoch) and the crops and flips on (seed, epoch, batch) alone. So a resumed run sees the
    batches that it would have seen, and `prefetch` changes nothing but the waiting.
    """

    dataset: Dataset
    batch_size: int
    _: KW_ONLY
    seed: int = 0
    shuffle: bool = False
    augment: bool = False
    mean: Any = None
    std: Any = None
    dtype: DTypeLike = np.float32
    drop_last: bool = False
    limit: int | None = None
    prefetch: int = 2

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"Loader: expected a batch_size of 1 or more, got {self.batch_size}")
        if self.drop_last and self.batch_size > len(self.dataset):
            few = f"with drop_last a batch_size of {self.batch_size} leaves no batch of {len(self.dataset)} images"
            raise ValueError(f"Loader: {few}; make the batches smaller or keep the last one")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"Loader: expected a limit of 1 batch or more, or None for all, got {self.limit}")
        if self.prefetch < 0:
            raise ValueError(f"Loader: expected a prefetch of 0 or more, got {self.prefetch}")
        self.mean, self.std = _statistics(self.mean, self.std, channels=self.dataset.images.shape[1])
        self.padding = min(4, self.dataset.images.shape[-1] // 8)  # the paper's 4 are an eighth of its images

    def __len__(self) -> int:
        """Batches in an epoch."""
        images = len(self.dataset)
        batches = images // self.batch_size if self.drop_last else -(-images // self.batch_size)
        return batches if self.limit is None else min(batches, self.limit)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches of this epoch, from batch `start` on: x `dtype` (N, C, H, W), y int64 (N,).

        An error while a batch is prepared is raised where the batch is asked for. Leaving the loop early is fine.
        """
        if not 0 <= start <= len(self):
            raise ValueError(
                f"Loader.epoch: expected start between 0 and {len(self)}, the number of batches, got {start}"
            )
        order = self.order(epoch)
        steps = range(start, len(self))
        if self.prefetch == 0:
            return (self._batch(order, epoch, step) for step in steps)
        return prepared_ahead(lambda step: self._batch(order, epoch, step), steps, self.prefetch)

    def order(self, epoch: int) -> np.ndarray:
        """The indices of this epoch's images, in their order."""
        if not self.shuffle:
            return np.arange(len(self.dataset))
        return generator(self.seed, "order", epoch).permutation(len(self.dataset))

    def draws(self, epoch: int, step: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Where each image of this batch of `count` is cropped (2, count), and whether it is mirrored (count)."""
        crop_rng, flip_rng = (generator(self.seed, purpose, epoch, step) for purpose in ("crop", "flip"))
        return draw_crops(count, crop_rng, self.padding), draw_flips(count, flip_rng)

    def kept(self, step: int) -> slice:
        """The rows of this batch to prepare: all. (On several ranks, this rank's: scale/parallel/rank_loader.py.)"""
        return slice(None)

    def _batch(self, order: np.ndarray, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        indices = order[step * self.batch_size : (step + 1) * self.batch_size]
        kept = self.kept(step)
        images = self.dataset.images[indices[kept]]  # (N, C, H, W) uint8
        if self.augment:
            places, mirrored = self.draws(epoch, step, len(indices))
            images = flip(crop(images, places[:, kept], self.padding), mirrored[kept])
        return normalise(images, self.mean, self.std, self.dtype), self.dataset.labels[indices[kept]]


def prepared_ahead(prepare: Callable[[int], T], steps: range, ahead: int) -> Iterator[T]:
    """Yield prepare(step) for each step, in order, while a second thread works on up to `ahead` later ones.

    An exception in `prepare` is raised here with its own traceback. However the loop ends (at its end, by `break`, by
    an error or by Ctrl-C), the steps not yet begun are dropped and the thread is joined.
    """
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tinyres-loader")
    waiting: deque[Future[T]] = deque()
    try:
        for step in steps:
            waiting.append(pool.submit(prepare, step))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _statistics(mean: Any, std: Any, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation as float64 (C,), checked; (0, 1) where none are given."""
    if mean is None and std is None:
        return np.zeros(channels), np.ones(channels)
    if mean is None or std is None:
        raise ValueError("Loader: expected mean and std together (see tinyres.data.channel_statistics), got only one")
    mean, std = np.asarray(mean, np.float64), np.asarray(std, np.float64)
    if mean.shape != (channels,) or std.shape != (channels,):
        raise ValueError(f"Loader: expected mean and std of shape ({channels},), got {mean.shape} and {std.shape}")
    if not (std > 0).all():
        raise ValueError(f"Loader: expected every std above 0, got {std}")
    return mean, std
