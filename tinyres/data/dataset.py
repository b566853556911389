"""Labelled images in memory, and the mean and standard deviation of their channels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


class DataError(Exception):
    """Data is missing, damaged or cannot be fetched. The message is for the reader: it names the file and the cure."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pictures with their labels.

    images:  uint8 (N, C, H, W), raw pixels 0…255
    labels:  int64 (N,), each an index into `classes`
    classes: the class names
    name:    where it came from: "shapes", "cifar10", "cifar100", "folder:PATH"

    Raises ValueError if these do not fit together, or if there are no pictures.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    name: str

    def __post_init__(self) -> None:
        images, labels, name = self.images, self.labels, self.name
        if images.dtype != np.uint8 or images.ndim != 4:
            raise ValueError(f"{name}: expected images uint8 (N, C, H, W), got {images.dtype} {images.shape}")
        if labels.dtype != np.int64 or labels.ndim != 1:
            raise ValueError(f"{name}: expected labels int64 (N,), got {labels.dtype} {labels.shape}")
        if len(images) != len(labels):
            raise ValueError(f"{name}: expected one label per image, got {len(images)} images, {len(labels)} labels")
        if images.size == 0:
            raise ValueError(f"{name}: a data set needs at least one image, got images of shape {images.shape}")
        if labels.min() < 0 or labels.max() >= len(self.classes):
            low, high, last = labels.min(), labels.max(), len(self.classes) - 1
            raise ValueError(f"{name}: expected labels from 0 to {last} (one per class name), got {low} to {high}")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: np.ndarray | Sequence[int] | slice) -> "Dataset":
        """The pictures at these indices (or of this slice or mask), in this order, as a data set of their own."""
        if not isinstance(indices, (np.ndarray, slice)):
            indices = list(indices)  # NumPy would take a tuple for one index per axis
        return Dataset(self.images[indices], self.labels[indices], self.classes, self.name)

    def sha256(self) -> str:
        """Fingerprint of the pictures and labels, 64 hex digits: tells whether two runs saw the same data."""
        digest = hashlib.sha256(f"images {self.images.shape}\n".encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return digest.hexdigest()


def channel_statistics(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every channel of images/255, over all pictures and pixels: float32 (C,), (C,).

    A pixel has one of 256 values, so counting the values gives both exactly, with no sum of 50 million floats to
    lose digits in.
    """
    values = np.arange(256) / 255
    counts = _count_values(dataset.images)  # (C, 256)
    pixels = counts.sum(axis=1)  # (C,)
    mean = counts @ values / pixels
    variance = (counts * (values - mean[:, None]) ** 2).sum(axis=1) / pixels
    return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def _count_values(images: np.ndarray) -> np.ndarray:
    """How often each channel has each pixel value: int64 (C, 256). In chunks, for bincount widens what it counts."""
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    for start in range(0, len(images), 1000):
        for channel in range(images.shape[1]):
            pixels = images[start : start + 1000, channel]  # (≤1000, H, W)
            counts[channel] += np.bincount(pixels.ravel(), minlength=256)
    return counts
