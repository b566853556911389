"""Every model's parameters and multiply-adds, counted by running it: `python -m docs.make_models` writes models.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from docs.markdown import table
from tinyres import models
from tinyres.look.summary import PAPER, count_parameters, layers

PAGE = Path(__file__).with_name("models.md")
HEAD = """\
# The models

What each model costs, and what its paper prints. `python -m docs.make_models` writes this page by running every model
on one image; `tinyres summary NAME` shows one of them layer by layer. Multiply-adds are those of convolutions and
linear layers, as the papers count them; batch norm, pooling and additions are left out. Shortcuts are each model's
default: A for CIFAR, B for ImageNet.

"""
COLUMNS = "model", "image", "parameters", "multiply-adds", "the paper says"


def cells(name: str) -> tuple[str, ...]:
    """A model's row in the table."""
    model, shape = models.build(name), models.input_shape(name)
    count = sum(layer.multiply_adds for layer in layers(model, shape))
    costs = f"{count_parameters(model):,}", f"{count / 1e6:,.1f} M"
    return f"`{name}`", "×".join(map(str, shape)), *costs, PAPER.get(name, "–")


def page(rows: Iterable[tuple[str, ...]]) -> str:
    return HEAD + table(COLUMNS, rows, right=(2, 3)) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(map(cells, models.names())), encoding="utf-8")
