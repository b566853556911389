"""Mistakes in what feeds a network: batches, their order, crops, flips and pixel values."""

from mutants.mutant import Planted

DATA = (
    Planted(
        "Loader: the last, smaller batch is lost",
        "Loader.__len__",
        "-(-images // self.batch_size)",
        "images // self.batch_size",
    ),
    Planted(
        "Loader: every epoch has the first one's order",
        "Loader._order",
        'generator(self.seed, "order", epoch)',
        'generator(self.seed, "order", 0)',
    ),
    Planted(
        "Loader: the order is drawn with replacement",
        "Loader._order",
        'generator(self.seed, "order", epoch).permutation(len(self.dataset))',
        'generator(self.seed, "order", epoch).integers(len(self.dataset), size=len(self.dataset))',
    ),
    Planted(
        "Loader: labels in the data set's order beside shuffled images",
        "Loader._batch",
        "self.dataset.labels[indices]",
        "self.dataset.labels[step * self.batch_size :][: len(indices)]",
    ),
    Planted(
        "Loader: every batch of an epoch is cropped alike",
        "Loader._generators",
        'generator(self.seed, "crop", epoch, step)',
        'generator(self.seed, "crop", epoch, 0)',
    ),
    Planted(
        "Loader: a late start begins with the epoch's first batch",
        "Loader.epoch",
        "range(start, len(self))",
        "range(0, len(self) - start)",
    ),
    Planted(
        "Loader: what was prepared ahead is lost at the end",
        "prepared_ahead",
        "while waiting:\n    yield waiting.popleft().result()",
        "pass",
    ),
    Planted(
        "random_crop: the first image's place for all",
        "random_crop",
        "windows[np.arange(n), :, top, left]",
        "windows[:, :, top[0], left[0]]",
    ),
    Planted(
        "random_crop: the border repeats the image's edge",
        "random_crop",
        "np.zeros((n, c, h + 2 * padding, w + 2 * padding), images.dtype)",
        "np.pad(images, [(0, 0), (0, 0), (padding, padding), (padding, padding)], mode='edge')",
    ),
    Planted("random_crop: the last row and column are never drawn", "crop_places", "2 * padding + 1", "2 * padding"),
    Planted("random_flip: upside down", "random_flip", "images[chosen, :, :, ::-1]", "images[chosen, :, ::-1]"),
    Planted("random_flip: writes into the images", "random_flip", "images.copy()", "images"),
    Planted(
        "normalise: the mean is not divided by std",
        "data.normalise",
        "-np.asarray(mean, np.float64) / std",
        "-np.asarray(mean, np.float64)",
    ),
    Planted("normalise: one channel's std for all", "data.normalise", "scale[:, None, None]", "scale[0]"),
)
