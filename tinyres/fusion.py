"""Whether ops that follow each other may run as one.

`relu(batch_norm(x) + r)` as three ops writes x̂·gamma + beta to memory, reads it for the sum, writes the sum, and reads
that for the ReLU. F.batch_norm_add_relu does it all while a value is in the processor: same result, fewer trips. But
then the values in between never exist. Who wants to look at them asks for the ops one by one:

    with tinyres.unfused(), tinyres.observe(observer):
        model(x)                                            # BatchNorm, Add, ReLU, each seen by the observer

A hook on a layer does the same for that layer alone (nn/fused.py). An observer by itself does not: it is
shown what runs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Mode(threading.local):
    fusing = True


_mode = _Mode()


def fusing() -> bool:
    """May ops run as one, here and now?"""
    return _mode.fusing


@contextmanager
def unfused() -> Iterator[None]:
    """Inside, every op of this thread runs by itself: for looking at the values in between, and for comparison."""
    before, _mode.fusing = _mode.fusing, False
    try:
        yield
    finally:
        _mode.fusing = before
