"""All ops, and how a test goes through them.

    @on_every_op
    @given(st.data())
    def test_something(op, data):
        call = data.draw(calls(op))

`pytest tests/properties -k conv2d` runs all that is asked of one op. How many examples: conftest.py
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import strategies as st
from properties import elementwise, images, normalisation, shapes, sums
from properties.calls import LENGTHS, SEEDS, Call, DrawnOp

OPS: dict[str, DrawnOp] = {**elementwise.OPS, **sums.OPS, **shapes.OPS, **images.OPS, **normalisation.OPS}
WITH_KERNELS = tuple(name for name in ("add", "relu", *images.OPS, *normalisation.OPS) if name != "interpolate")


@st.composite
def calls(draw: Callable, name: str, length: st.SearchStrategy[int] = LENGTHS) -> Call:
    op = OPS[name]
    shapes, settings = op.draw(draw, length)
    return Call(name, op, shapes, settings, draw(SEEDS))


def on_ops(wanted: Callable[[DrawnOp], bool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("op", [name for name, op in OPS.items() if wanted(op)])


on_every_op = on_ops(lambda op: True)


@contextmanager
def rung(name: str) -> Iterator[None]:
    """Inside, that rung's kernels serve."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "TINYRES_KERNELS", name)
        yield
