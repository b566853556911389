"""Large networks of which only the shapes matter, without the time and memory that their weights take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tinyres.nn import init


@contextmanager
def undrawn() -> Iterator[None]:
    """Inside, initial weights that would be drawn are zeros.

    Drawing VGG-16 takes ten seconds and 528 MiB. Zeros that are never written cost neither: the operating system
    provides memory at the first write. What is not drawn, such as batch norm's ones, is as always.

        >>> from tinyres import models
        >>> from tinyres.look.summary import count_parameters
        >>> with undrawn():
        ...     print(f"{count_parameters(models.vgg16()):,}")
        138,357,544
    """
    before, init.mode.drawing = init.mode.drawing, False
    try:
        yield
    finally:
        init.mode.drawing = before
