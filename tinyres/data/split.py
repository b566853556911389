"""Cutting a data set in two."""

import numpy as np

from tinyres.data.dataset import Dataset
from tinyres.random import generator


def split(train: Dataset, validation: int, seed: int) -> tuple[Dataset, Dataset]:
    """Set `validation` random pictures aside: (the rest, the validation set). The same seed sets the same ones aside.

    Both keep the order that the pictures had. The usual split of CIFAR-10's training set is 45,000 / 5,000.
    """
    if not 0 < validation < len(train):
        raise ValueError(
            f"split: expected validation between 1 and {len(train) - 1} ({train.name} has {len(train)} images), "
            f"got {validation}"
        )
    shuffled = generator(seed, "split").permutation(len(train))
    return train.take(np.sort(shuffled[validation:])), train.take(np.sort(shuffled[:validation]))
