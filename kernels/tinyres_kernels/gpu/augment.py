"""A training batch made on the GPU, where all pictures lie: the launch of augment.cu."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyres_kernels.gpu.launch import blocks_for, channels_first, empty, launch

Array = Any


def augment(
    images: Array, of_images: Array, draws: Array, table: Array, state: Array, count: int
) -> tuple[Array, Array]:
    """The first `count` pictures drawn for this step, and their labels: x (N,C,H,W), the bytes NHWC, and int32 (N).

    images uint8 (M,C,H,W) and their labels of_images int32 (M)
    draws int32 (steps,batch,4): which picture, the row and the column of it where x begins, 1 if mirrored
    table (256,C): what a pixel's value becomes.    state int32 (2): the step, and whether it is broken
    """
    C, H, W = images.shape[1:]
    x, labels = empty(table, (count, H, W, C)), empty(table, (count,), np.int32)
    arguments = images, of_images, draws, table, state, x, labels, draws.shape[1], C, H, W, x.size
    launch("augment.cu", "augment", table, arguments, grid=blocks_for(x.size))
    return channels_first(x), labels
