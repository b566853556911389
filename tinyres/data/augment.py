"""What is done to a batch before the network sees it: random crop, random flip, normalisation.

The augmentation is that of the ResNet paper for CIFAR (He et al. 2015, section 4.2): "4 pixels are padded on each side,
and a 32×32 crop is randomly sampled from the padded image or its horizontal flip".

The padding is black, and it is added to the raw picture, before the normalisation: as most implementations do, and so
as most published figures were reached. (A zero padded after the normalisation would be the mean colour instead.)
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import DTypeLike

from tinyres.data.rows import Rows


def random_crop(images: np.ndarray, rng: np.random.Generator, padding: int = 4, rows: Rows | None = None) -> np.ndarray:
    """Pad every picture with `padding` black pixels a side, then cut the old size out anywhere in it.

    rows: which rows of a batch the pictures are; None: all. They are drawn for as in the whole batch
    images uint8 (N, C, H, W) → a new uint8 (N, C, H, W)
    """
    n, c, h, w = images.shape
    padded = np.zeros((n, c, h + 2 * padding, w + 2 * padding), images.dtype)
    padded[:, :, padding : padding + h, padding : padding + w] = images
    windows = sliding_window_view(padded, (h, w), axis=(2, 3))  # (N, C, 2·padding+1, 2·padding+1, H, W), a view
    rows = rows or Rows(0, n, n)
    top, left = crop_places(rows.total, rng, padding)[:, rows.slice]
    return windows[np.arange(n), :, top, left]


def crop_places(count: int, rng: np.random.Generator, padding: int) -> np.ndarray:
    """The first row and the first column of each crop in its padded picture (2, count)."""
    return rng.integers(2 * padding + 1, size=(2, count))


def random_flip(images: np.ndarray, rng: np.random.Generator, rows: Rows | None = None) -> np.ndarray:
    """Mirror each picture, left for right, with probability one half.

    rows: as above
    images uint8 (N, C, H, W) → a new uint8 (N, C, H, W)
    """
    flipped = images.copy()
    rows = rows or Rows(0, len(images), len(images))
    chosen = chosen_to_flip(rows.total, rng)[rows.slice]
    flipped[chosen] = images[chosen, :, :, ::-1]
    return flipped


def chosen_to_flip(count: int, rng: np.random.Generator) -> np.ndarray:
    """Which pictures are mirrored, bool (count)."""
    return rng.random(count) < 0.5


def normalise(images: np.ndarray, mean: np.ndarray, std: np.ndarray, dtype: DTypeLike = np.float32) -> np.ndarray:
    """(images/255 − mean) / std, channel by channel.

    images uint8 (N, C, H, W), mean and std (C,) in units of the full range 0…1 → `dtype` (N, C, H, W)
    """
    # x/255, − mean, / std: gathered into one multiplication and one addition a pixel
    scale = np.asarray(1 / (255 * np.asarray(std, np.float64)), dtype)
    shift = np.asarray(-np.asarray(mean, np.float64) / std, dtype)
    x = images.astype(dtype)
    x *= scale[:, None, None]
    x += shift[:, None, None]
    return x
