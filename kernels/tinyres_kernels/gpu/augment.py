"""A training batch made on the GPU, where all pictures are: the launch of augment.cu."""

from __future__ import annotations

import numpy as np

from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.launch import blocks_for, channels_first, empty, launch


def augment(
    images: Array, of_images: Array, draws: Array, table: Array, state: Array, count: int
) -> tuple[Array, Array]:
    """The first `count` pictures drawn for this step, x (N,C,H,W) with NHWC bytes, and their labels, int32 (N).

    images uint8 (M,C,H,W) and their labels of_images int32 (M)
    draws int32 (steps,batch,4): the picture, its row and column where x begins, and 1 if it is mirrored
    table (256,C): what a pixel's value becomes.    state int32 (2): the step, and 1 once training is broken
    """
    C, H, W = images.shape[1:]
    x, labels = empty(table, (count, H, W, C)), empty(table, (count,), np.int32)
    arguments = images, of_images, draws, table, state, x, labels, draws.shape[1], C, H, W, x.size
    launch("augment.cu", "augment", table, arguments, grid=blocks_for(x.size))
    return channels_first(x), labels
