"""Where every random number comes from: a generator keyed by (seed, purpose, epoch, step).

A key alone determines a draw. There is no hidden stream that an earlier call could have advanced. So a resumed run, a
loader that works ahead in another thread, and a second machine all make the same draws, and nothing has to be saved.

    >>> generator(0, "crop", epoch=3, step=7).integers(9, size=4)
    array([8, 2, 5, 4])
    >>> generator(0, "crop", epoch=3, step=7).integers(9, size=4)
    array([8, 2, 5, 4])
"""

from collections import Counter
from math import prod
from typing import Any
from zlib import crc32

import numpy as np


def generator(seed: int, purpose: str, epoch: int = 0, step: int = 0, draw: int = 0) -> np.random.Generator:
    """A fresh NumPy generator for this key. The same key gives the same numbers; any other key independent ones.

    `purpose` is a word such as "order" or "flip"; `draw` counts draws of one purpose within a step.
    """
    return np.random.default_rng([seed, crc32(purpose.encode()), epoch, step, draw])


class _Now:
    """The parts of the key that a layer cannot know: the seed, the step, and what was drawn already."""

    def __init__(self) -> None:
        self.seed = self.epoch = self.step = self.first_row = 0
        self.draws: Counter[str] = Counter()


_now = _Now()


def manual_seed(seed: int) -> None:
    """Seed what the layers draw from here on: initial weights, dropout. Until it is called, the seed is 0."""
    if seed < 0:
        raise ValueError(f"manual_seed: expected a seed of 0 or more, got {seed}")
    _now.seed = seed
    set_step(0, 0)


def set_step(epoch: int, step: int, first_row: int = 0) -> None:
    """Tell the layers that draw (dropout) which step this is; to be called before each forward pass.

    first_row: the first row of the batch that this process sees; 0 unless several processes share the batch
    """
    _now.epoch, _now.step, _now.first_row = epoch, step, first_row
    _now.draws = Counter()


def position() -> dict[str, Any]:
    """How far the layers have come in drawing; `rewind` goes back there."""
    return {**vars(_now), "draws": _now.draws.copy()}


def rewind(position: dict[str, Any]) -> None:
    """From here on the layers draw again what they drew after this `position`."""
    vars(_now).update(position, draws=position["draws"].copy())


def current_step() -> tuple[int, int]:
    """(epoch, step) of the last set_step; (0, 0) before the first."""
    return _now.epoch, _now.step


def next_generator(purpose: str) -> np.random.Generator:
    """The generator for the next draw of this purpose in this step: the n-th layer that asks gets key n."""
    draw = _now.draws[purpose]
    _now.draws[purpose] += 1
    return generator(_now.seed, purpose, _now.epoch, _now.step, draw)


def next_uniform(purpose: str, shape: tuple[int, ...]) -> np.ndarray:
    """float32 from 0 to 1: this process's rows, along axis 0, of a draw for the whole batch."""
    rng = next_generator(purpose)
    before = _now.first_row * prod(shape[1:])
    rng.bit_generator.advance(before // 2)  # type: ignore[attr-defined]  # a step is 64 bits: two numbers
    odd = before % 2
    return rng.random(odd + prod(shape), dtype=np.float32)[odd:].reshape(shape)
