"""What happens to a batch before the network sees it: random crop, random flip, normalisation.

The augmentation is that of the ResNet paper for CIFAR (He et al. 2015, section 4.2): "4 pixels are padded on each side,
and a 32×32 crop is randomly sampled from the padded image or its horizontal flip".

The padding is black, and is added to the raw images before the normalisation. Most implementations do it so, and most
published figures were reached so. (Zeros padded after the normalisation would be the mean colour instead.)
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import DTypeLike


def draw_crops(count: int, rng: np.random.Generator, padding: int) -> np.ndarray:
    """The first row and the first column of each crop in its padded image, evenly drawn: int (2, count)."""
    return rng.integers(2 * padding + 1, size=(2, count))


def crop(images: np.ndarray, places: np.ndarray, padding: int) -> np.ndarray:
    """Pad every image with `padding` black pixels on each side, and cut the old size out of it at its place.

    images uint8 (N, C, H, W), places (2, N) → a new uint8 (N, C, H, W)
    """
    n, c, h, w = images.shape
    padded = np.zeros((n, c, h + 2 * padding, w + 2 * padding), images.dtype)
    padded[:, :, padding : padding + h, padding : padding + w] = images
    windows = sliding_window_view(padded, (h, w), axis=(2, 3))  # (N, C, 2·padding+1, 2·padding+1, H, W), a view
    top, left = places
    return windows[np.arange(n), :, top, left]


def draw_flips(count: int, rng: np.random.Generator) -> np.ndarray:
    """Which images to mirror, each with probability one half: bool (count)."""
    return rng.random(count) < 0.5


def flip(images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Mirror the chosen images, left for right. images uint8 (N, C, H, W), chosen bool (N) → a new uint8 array."""
    flipped = images.copy()
    flipped[chosen] = images[chosen, :, :, ::-1]
    return flipped


def normalise(images: np.ndarray, mean: np.ndarray, std: np.ndarray, dtype: DTypeLike = np.float32) -> np.ndarray:
    """(images/255 − mean) / std, channel by channel.

    images uint8 (N, C, H, W), mean and std (C,) in units of the full range 0…1 → `dtype` (N, C, H, W)
    """
    # x/255, − mean, / std: as one multiplication and one addition a pixel
    scale = np.asarray(1 / (255 * np.asarray(std, np.float64)), dtype)
    shift = np.asarray(-np.asarray(mean, np.float64) / std, dtype)
    x = images.astype(dtype)
    x *= scale[:, None, None]
    x += shift[:, None, None]
    return x
