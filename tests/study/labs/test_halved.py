"""tinyres/study/labs/halved.py: each pixel is the mean of four."""

import numpy as np

from tinyres.data import shapes
from tinyres.study.labs.halved import halved


def test_halved():
    train, _ = shapes(3, 1)
    small = halved(train)
    assert small.images.shape == (3, 3, 16, 16) and small.images.dtype == np.uint8
    assert small.images[1, 2, 5, 7] == np.rint(train.images[1, 2, 10:12, 14:16].mean())
    assert small.labels is train.labels
