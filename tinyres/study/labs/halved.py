"""Pictures at half their size: a training step takes a quarter of the time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyres.data import Dataset


def halved(dataset: Dataset) -> Dataset:
    """Each pixel is the mean of 2×2: images (N, C, H, W) become (N, C, H/2, W/2), for even H and W."""
    n, c, h, w = dataset.images.shape
    images = dataset.images.reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5))
    return replace(dataset, images=np.rint(images).astype(np.uint8))
