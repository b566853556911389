"""Batches for training: shuffled, augmented, normalised, and prepared by a second thread while the network works."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import DTypeLike

from tinyres.data.augment import chosen_to_flip, crop_places, normalise, random_crop, random_flip
from tinyres.data.dataset import Dataset
from tinyres.data.rows import Rows
from tinyres.random import generator

T = TypeVar("T")


class Loader:
    """Cuts a data set into batches, one epoch at a time.

    dataset:    what to read
    batch_size: pictures in a batch; the last batch of an epoch has what is left
    seed:       of the order, the crops and the flips
    shuffle:    a new random order every epoch
    augment:    random crop, by at most 4 pixels and an eighth of the width, and flip (see tinyres.data.augment)
    mean, std:  (C,) for the normalisation, in units of the full range 0…1; both None: pixels are only scaled to 0…1.
                A test set is normalised with the *training* set's figures, so they are never computed here
    dtype:      of the batches
    drop_last:  leave a last, smaller batch out
    limit:      at most this many batches an epoch (for a quick look)
    prefetch:   batches prepared ahead in a second thread; 0: each is prepared when it is asked for
    part:       (k, n): of every batch only the rows of the k-th of n processes, none where there are not enough

    The order depends on (seed, epoch) and the crops and flips on (seed, epoch, batch) alone: a resumed run sees the
    batches it would have seen, `prefetch` changes nothing but the waiting, and parts of a batch are those of the whole.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        augment: bool = False,
        mean: np.ndarray | None = None,
        std: np.ndarray | None = None,
        dtype: DTypeLike = np.float32,
        drop_last: bool = False,
        limit: int | None = None,
        prefetch: int = 2,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"Loader: expected a batch_size of 1 or more, got {batch_size}")
        if drop_last and batch_size > len(dataset):
            raise ValueError(
                f"Loader: with drop_last a batch_size of {batch_size} leaves no batch of {len(dataset)} images; "
                "make the batches smaller or keep the last one"
            )
        if limit is not None and limit < 1:
            raise ValueError(f"Loader: expected a limit of 1 batch or more, or None for all, got {limit}")
        if prefetch < 0:
            raise ValueError(f"Loader: expected a prefetch of 0 or more, got {prefetch}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.augment = augment
        self.mean, self.std = _statistics(mean, std, channels=dataset.images.shape[1])
        self.dtype = dtype
        self.drop_last = drop_last
        self.limit = limit
        self.prefetch = prefetch
        self.part = part

    def __len__(self) -> int:
        """Batches in an epoch."""
        images = len(self.dataset)
        batches = images // self.batch_size if self.drop_last else -(-images // self.batch_size)
        return batches if self.limit is None else min(batches, self.limit)

    def rows(self, step: int) -> Rows:
        """Which rows of the batch of this step are this loader's part."""
        begin = step * self.batch_size
        return Rows.of(min(self.batch_size, len(self.dataset) - begin), *self.part)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches of this epoch, from batch `start` on: x `dtype` (N, C, H, W), y int64 (N,).

        An error while a batch is prepared is raised where the batch is asked for. Leaving the loop early is fine.
        """
        if not 0 <= start <= len(self):
            raise ValueError(
                f"Loader.epoch: expected start between 0 and {len(self)}, the batches an epoch, got {start}"
            )
        order = self._order(epoch)
        steps = range(start, len(self))
        if self.prefetch == 0:
            return (self._batch(order, epoch, step) for step in steps)
        return prepared_ahead(lambda step: self._batch(order, epoch, step), steps, self.prefetch)

    def draws(self, epoch: int) -> np.ndarray:
        """What makes this epoch's batches, without the pictures: for a device where those lie already.

        int32 (batches, batch_size, 4): which picture, the row and the column of it where the batch's begins (above or
        left of it if negative), 1 if it is mirrored then. Where the last batch ends there are zeros.
        """
        drawn = np.zeros((len(self), self.batch_size, 4), np.int32)
        order = self._order(epoch)
        for step in range(len(self)):
            indices = order[step * self.batch_size : (step + 1) * self.batch_size]
            rows = drawn[step, : len(indices)]
            rows[:, 0] = indices
            if self.augment:
                crop, flip = self._generators(epoch, step)
                rows[:, 1:3] = crop_places(len(indices), crop, self._padding()).T - self._padding()
                rows[:, 3] = chosen_to_flip(len(indices), flip)
        return drawn

    def pixel_table(self) -> np.ndarray:
        """What each of a pixel's 256 values becomes, for every channel: `dtype` (256, C)."""
        channels = self.dataset.images.shape[1]
        values = np.repeat(np.arange(256, dtype=np.uint8), channels).reshape(256, channels, 1, 1)
        return normalise(values, self.mean, self.std, self.dtype).reshape(256, channels)

    def _padding(self) -> int:
        return min(4, self.dataset.images.shape[-1] // 8)  # the paper's 4 are an eighth of its pictures

    def _generators(self, epoch: int, step: int) -> tuple[np.random.Generator, np.random.Generator]:
        """Of a batch's crops, and of its flips."""
        return generator(self.seed, "crop", epoch, step), generator(self.seed, "flip", epoch, step)

    def _order(self, epoch: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(len(self.dataset))
        return generator(self.seed, "order", epoch).permutation(len(self.dataset))

    def _batch(self, order: np.ndarray, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.rows(step)
        indices = order[step * self.batch_size : (step + 1) * self.batch_size][rows.slice]
        images = self.dataset.images[indices]  # (N, C, H, W) uint8
        if self.augment:
            crop, flip = self._generators(epoch, step)
            images = random_flip(random_crop(images, crop, self._padding(), rows), flip, rows)
        return normalise(images, self.mean, self.std, self.dtype), self.dataset.labels[indices]


def prepared_ahead(prepare: Callable[[int], T], steps: range, ahead: int) -> Iterator[T]:
    """Yield prepare(step) for each step, in order, while a second thread works on up to `ahead` later ones.

    An exception in `prepare` is raised here with its own traceback. However the loop is left, by its end, `break`, an
    error or Ctrl-C, the steps not yet begun are dropped and the thread is joined.
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


def _statistics(mean: np.ndarray | None, std: np.ndarray | None, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation as float64 (C,), checked; (0, 1) where none are given."""
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
