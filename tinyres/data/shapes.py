"""Shapes: pictures of ten shapes, drawn by this file, to learn from without a download.

Each picture is 3×32×32 and shows one shape of any colour, place, size and angle. Its background has two colours in
stripes, with stray lines and specks, and noise is added. The shape is lighter than the background, sometimes hardly so.

Softmax regression on the pixels gets at most 20 % of the test set right (guessing: 10 %), since no pixel means anything
by itself. A ResNet-8 passes 95 % in its seventh epoch on the 10,000 training pictures and ends its tenth above 98 %.
"""

from collections.abc import Callable

import numpy as np

from tinyres.data.dataset import Dataset
from tinyres.random import generator

SIDE = 32
CHUNK = 500  # pictures drawn at once: small enough for the cache, large enough that NumPy's overhead is nothing


def shapes(train: int = 10_000, test: int = 2_000, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Draw (training set, test set): uint8 (N, 3, 32, 32), ten classes equally often.

    A picture depends only on the seed and its index: a smaller set is the beginning of a larger one. (Another processor
    may round a sine differently, and with it a pixel now and then.)
    """
    if min(train, test) < 1:
        raise ValueError(f"shapes: expected at least 1 image, got train={train}, test={test}")
    return _draw_set(train, seed, part=0), _draw_set(test, seed, part=1)


def _draw_set(count: int, seed: int, part: int) -> Dataset:
    """`part` 0 is the training set, 1 the test set: it keeps their draws apart."""
    chunks = [draw_chunk(generator(seed, "shapes", step=step, draw=part)) for step in range(-(-count // CHUNK))]
    images = np.concatenate([images for images, _ in chunks])[:count]
    labels = np.concatenate([labels for _, labels in chunks])[:count]
    return Dataset(images, labels, tuple(OUTLINES), "shapes")


# ---- the outlines: distance of (u, v) from the edge, negative inside; each fits about the unit disc ----------------


def disc(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.hypot(u, v) - 0.85


def ring(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.abs(np.hypot(u, v) - 0.7) - 0.2


def square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(u), np.abs(v)) - 0.72


def frame(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.abs(np.maximum(np.abs(u), np.abs(v)) - 0.56) - 0.16


def triangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Inside all of three half-planes, 120° apart."""
    slanted = np.sqrt(0.75) * np.abs(u) + 0.5 * v
    return np.maximum(slanted, -v) - 0.5


def star(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Five points: the plane is folded onto half a point, whose edge is one straight line from tip to notch."""
    radius = np.hypot(u, v)
    fifth = 2 * np.pi / 5
    angle = np.abs((np.arctan2(v, u) + fifth / 2) % fifth - fifth / 2)  # 0 at a tip, fifth/2 at a notch
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    notch_x, notch_y = 0.42 * np.cos(fifth / 2), 0.42 * np.sin(fifth / 2)
    along_x, along_y = notch_x - 1, notch_y  # from the tip (1, 0) to the notch
    return ((x - 1) * along_y - y * along_x) / np.hypot(along_x, along_y)


def cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    upright = np.maximum(np.abs(u) - 0.25, np.abs(v) - 0.9)
    level = np.maximum(np.abs(u) - 0.9, np.abs(v) - 0.25)
    return np.minimum(upright, level)


def crescent(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A disc less another one."""
    return np.maximum(np.hypot(u, v) - 0.9, 0.75 - np.hypot(u - 0.45, v))


def heart(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A square with a half disc upon each of two neighbouring sides."""
    u, v = u + 0.15, v + 0.15
    body = np.maximum(np.abs(u), np.abs(v)) - 0.5
    lobes = np.minimum(np.hypot(u - 0.5, v), np.hypot(u, v - 0.5)) - 0.5
    return np.minimum(body, lobes)


def arrow(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A triangle for the head, a bar for the shaft."""
    head = np.maximum((np.abs(u) + v - 0.95) * np.sqrt(0.5), -v)
    shaft = np.maximum(np.abs(u) - 0.2, np.abs(v + 0.45) - 0.5)
    return np.minimum(head, shaft)


Outline = Callable[[np.ndarray, np.ndarray], np.ndarray]
OUTLINES: dict[str, Outline] = {
    outline.__name__: outline for outline in (disc, ring, square, frame, triangle, star, cross, crescent, heart, arrow)
}


# ---- the drawing: every function works on a whole chunk of B pictures ------------------------------------------------


def draw_chunk(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """CHUNK pictures uint8 (B, 3, 32, 32) and their labels int64 (B,)."""
    labels = rng.permutation(np.arange(CHUNK) % len(OUTLINES))
    ground = rng.uniform(0, 0.6, (CHUNK, 3)).astype(np.float32)
    canvas = _background(rng, ground)  # (B, 3, 32, 32), 0…1
    for _ in range(2):
        _paint(canvas, _line(rng), rng.random((CHUNK, 3), dtype=np.float32))
        _paint(canvas, _speck(rng), rng.random((CHUNK, 3), dtype=np.float32))
    _paint(canvas, _figure(rng, labels), _lighter(rng, ground))
    noise = rng.uniform(0.01, 0.08, (CHUNK, 1, 1, 1)).astype(np.float32)
    canvas += noise * rng.standard_normal(canvas.shape, dtype=np.float32)
    return (255 * canvas.clip(0, 1)).astype(np.uint8), labels


def _paint(canvas: np.ndarray, distance: np.ndarray, colour: np.ndarray) -> None:
    """Colour (B, 3) where the distance from the edge, in pixels, (B, 32, 32) is negative; mixed along the edge."""
    cover = (0.5 - distance).clip(0, 1)[:, None]  # (B, 1, 32, 32)
    canvas += cover * (colour[:, :, None, None] - canvas)


def _background(rng: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """Soft stripes of any direction and width between `colour` (B, 3) and a neighbour of it: (B, 3, 32, 32)."""
    across, _ = _turned(rng.uniform(0, 2 * np.pi, CHUNK), np.zeros(CHUNK), np.zeros(CHUNK))  # (B, 32, 32) pixels
    wavelength = rng.uniform(5, 60, CHUNK)
    phase = rng.uniform(0, 2 * np.pi, CHUNK)
    wave = np.sin(across * _per_picture(2 * np.pi / wavelength) + _per_picture(phase))[:, None]  # (B, 1, 32, 32)
    swing = rng.uniform(-0.15, 0.15, (CHUNK, 3, 1, 1)).astype(np.float32)
    return colour[:, :, None, None] + swing * wave


def _lighter(rng: np.random.Generator, ground: np.ndarray) -> np.ndarray:
    """A colour (B, 3) that is lighter than the background's (B, 3) in each channel."""
    direction = np.abs(rng.standard_normal(ground.shape))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return (ground + direction * rng.uniform(0.25, 0.9, (CHUNK, 1))).clip(0, 1).astype(np.float32)


def _figure(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Distance (B, 32, 32), in pixels, from the outline of each picture's shape, at a random place, angle and size."""
    radius = rng.uniform(7, 13, CHUNK)
    room = SIDE / 2 - radius  # the shape may touch the border but not leave the picture
    x, y = rng.uniform(-room, room), rng.uniform(-room, room)
    across, down = _turned(rng.uniform(0, 2 * np.pi, CHUNK), x, y)
    distance = np.empty((CHUNK, SIDE, SIDE), np.float32)
    for label, outline in enumerate(OUTLINES.values()):
        chosen = labels == label
        scale = _per_picture(radius[chosen])
        distance[chosen] = scale * outline(across[chosen] / scale, down[chosen] / scale)
    return distance


def _line(rng: np.random.Generator) -> np.ndarray:
    """Distance (B, 32, 32) from a stray line through the whole picture, one to two pixels wide."""
    x, y = rng.uniform(-12, 12, (2, CHUNK))
    across, _ = _turned(rng.uniform(0, 2 * np.pi, CHUNK), x, y)
    return np.abs(across) - _per_picture(rng.uniform(0.2, 1, CHUNK))


def _speck(rng: np.random.Generator) -> np.ndarray:
    """Distance (B, 32, 32) from a stray oval of two to six pixels."""
    x, y = rng.uniform(-15, 15, (2, CHUNK))
    across, down = _turned(rng.uniform(0, 2 * np.pi, CHUNK), x, y)
    return np.hypot(across, 0.6 * down) - _per_picture(rng.uniform(1, 2.5, CHUNK))


def _turned(angle: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every pixel in the axes, turned by `angle` (B,), of a point (x, y) (B,): two float32 (B, 32, 32), in pixels."""
    pixel = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2  # 0 is the picture's middle
    right, down = pixel - _per_picture(x), pixel[:, None] - _per_picture(y)  # (B, 1, 32), (B, 32, 1)
    cos, sin = _per_picture(np.cos(angle)), _per_picture(np.sin(angle))
    return cos * right + sin * down, cos * down - sin * right


def _per_picture(values: np.ndarray) -> np.ndarray:
    """(B,) → float32 (B, 1, 1), to combine with pictures (B, 32, 32)."""
    return values.astype(np.float32)[:, None, None]
