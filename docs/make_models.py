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

This page lists what each model costs and what its paper says. `python -m docs.make_models` writes the page: it runs
every model on one image. `tinyres summary NAME` shows one model layer by layer. As in the papers, only the
multiply-adds of convolutions and linear layers count; batch norm, pooling and additions are left out. Each model has
its default shortcuts, A for CIFAR and B for ImageNet.

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
