"""All the models on one page: `python -m tinyres.models.page docs/models.md`. Counted by running each, not by hand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tinyres import models
from tinyres.look.summary import PAPER, count_parameters, layers

HEAD = """\
# The models

This page lists what each model costs and what its paper says. `python -m tinyres.models.page docs/models.md` writes the
page: it runs every model on one image. `tinyres summary NAME` shows one model layer by layer. As in the papers, only the
multiply-adds of convolutions and linear layers count; batch norm, pooling and additions are left out. Each model has its
default shortcuts, A for CIFAR and B for ImageNet.

"""
COLUMNS = "model", "image", "parameters", "multiply-adds", "the paper says"


def row(name: str) -> str:
    model, shape = models.build(name), models.input_shape(name)
    count = sum(layer.multiply_adds for layer in layers(model, shape))
    cells = (f"`{name}`", "×".join(map(str, shape)), f"{count_parameters(model):,}", f"{count / 1e6:,.1f} M")
    return line((*cells, PAPER.get(name, "–")))


def line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def page(rows: Sequence[str]) -> str:
    return HEAD + "\n".join([line(COLUMNS), line(["---"] * 2 + ["---:"] * 2 + ["---"]), *rows]) + "\n"


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tinyres.models.page PAGE.md", file=sys.stderr)
        return 2
    Path(arguments[0]).write_text(page([row(name) for name in models.names()]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
