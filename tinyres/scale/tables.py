"""What makes an epoch's batches, as two tables: for a GPU on which the images are already."""

import numpy as np

from tinyres.data import Loader
from tinyres.data.augment import normalise


def table_of_draws(loader: Loader, epoch: int) -> np.ndarray:
    """int32 (batches, batch_size, 4): for each place in each batch, four numbers.

    They are the image's index; the row and the column of it where the crop begins, negative above or left of it; and 1
    if it is mirrored then. A last batch that is smaller ends in zeros.
    """
    drawn = np.zeros((len(loader), loader.batch_size, 4), np.int32)
    order = loader.order(epoch)
    for step in range(len(loader)):
        indices = order[step * loader.batch_size : (step + 1) * loader.batch_size]
        rows = drawn[step, : len(indices)]
        rows[:, 0] = indices
        if loader.augment:
            places, mirrored = loader.draws(epoch, step, len(indices))
            rows[:, 1:3] = places.T - loader.padding
            rows[:, 3] = mirrored
    return drawn


def table_of_pixels(loader: Loader) -> np.ndarray:
    """`dtype` (256, C): what each of a pixel's 256 values becomes in each channel."""
    channels = loader.dataset.images.shape[1]
    values = np.repeat(np.arange(256, dtype=np.uint8), channels).reshape(256, channels, 1, 1)
    return normalise(values, loader.mean, loader.std, loader.dtype).reshape(256, channels)
