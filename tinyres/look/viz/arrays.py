"""Describes an array for a page: all of its numbers if they are few, else a picture and a histogram."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from tinyres.autograd import Array
from tinyres.device import to_device

FEW = 48  # up to this many numbers are shown one by one
DIGITS = 6
BINS = 24
TILE, SIDE = 32, 98  # the most pixels of one channel, and of the whole picture
NOT_FINITE = 0  # a pixel's level; 1 … 255 are −max|a| … max|a|, and 128 is zero


def describe(array: Array) -> dict[str, Any]:
    """A dict for JSON. Numbers are strings with DIGITS significant digits: JSON has no NaN, and the page shows strings.

    shape, dtype, size (√Σ a², if there is more than one number), and for few numbers: values, in C order; for many:
    least, greatest, mean, bins and picture, {width, height, images, channels, lines: of tiles for each image,
    levels: base64 of a byte for each pixel, scale: the value of level 255}.
    """
    a = to_device(array, "cpu")
    described: dict[str, Any] = {"shape": list(a.shape), "dtype": str(a.dtype)}
    wide = a.astype(np.float64)
    finite = wide[np.isfinite(wide)]
    if a.size <= FEW:
        if a.size > 1:
            described["size"] = number(np.linalg.norm(finite))
        return described | {"values": [number(value) for value in a.ravel().tolist()]}
    figures = {"not finite": int(a.size - finite.size)}
    if finite.size == 0:
        return described | figures
    with np.errstate(over="ignore"):  # a sum that is too large for float64 becomes inf
        mean, size = finite.mean(), np.linalg.norm(finite)
    texts = {
        "least": number(finite.min()),
        "greatest": number(finite.max()),
        "mean": number(mean),
        "size": number(size),
    }
    return described | figures | texts | {"bins": histogram(finite), "picture": picture(wide)}


def number(value: Any) -> str:
    return f"{value:.{DIGITS}g}"


def histogram(a: np.ndarray) -> list[int]:
    """How many values fall into each of BINS equal intervals from the least to the greatest.

    np.histogram raises an error if the values differ only by rounding; here these are shown, too.
    """
    a = a / (np.abs(a).max() or 1.0)  # now the range cannot overflow
    span = a.max() - a.min()
    part = (a - a.min()) * (BINS / span) if span > BINS * np.finfo(np.float64).tiny else np.zeros_like(a)
    return np.bincount(np.minimum(part.astype(int), BINS - 1), minlength=BINS).tolist()


def picture(a: np.ndarray) -> dict[str, Any]:
    """The first channels of the first images as tiles; a matrix or vector as one tile. Large tiles are thinned out.

    The channels of an image continue in further lines if there is room for all images that are shown.
    """
    tiles = a.reshape((1,) * (4 - a.ndim) + a.shape) if a.ndim <= 4 else a.reshape((-1, *a.shape[-3:]))
    tile = thinned(tiles, TILE if a.ndim > 2 else SIDE)
    height, width = tile.shape[2:]
    most_rows, most_columns = (max(1, (SIDE + 1) // (length + 1)) for length in (height, width))
    images, columns = min(tile.shape[0], most_rows), min(tile.shape[1], most_columns)
    lines = min(math.ceil(tile.shape[1] / columns), most_rows // images)  # for each image
    shown = tile[:images, : lines * columns]
    scale = float(np.abs(shown[np.isfinite(shown)]).max(initial=0.0))
    canvas = np.full((images * lines * (height + 1) - 1, columns * (width + 1) - 1), 128, np.uint8)
    for image, channel in np.ndindex(*shown.shape[:2]):
        row, column = image * lines + channel // columns, channel % columns
        top, left = row * (height + 1), column * (width + 1)
        canvas[top : top + height, left : left + width] = levels(shown[image, channel], scale)
    return {
        "width": canvas.shape[1],
        "height": canvas.shape[0],
        "images": images,
        "channels": shown.shape[1],
        "lines": lines,
        "scale": number(scale),
        "levels": base64.b64encode(canvas.tobytes()).decode("ascii"),
    }


def thinned(a: np.ndarray, most: int) -> np.ndarray:
    """Every k-th row and column, so that at most `most` of each remain."""
    down, across = (math.ceil(length / most) for length in a.shape[-2:])
    return a[..., ::down, ::across]


def levels(a: np.ndarray, scale: float) -> np.ndarray:
    """The levels 1 … 255 for −scale … scale, and NOT_FINITE."""
    finite = np.isfinite(a)
    level = 128 + np.round(127 * (np.where(finite, a, 0) / (scale or 1.0)))
    return np.where(finite, level, NOT_FINITE).astype(np.uint8)
