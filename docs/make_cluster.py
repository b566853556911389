"""The tables of docs/cluster.md, by the formulas of bench/cluster.py: `python -m docs.make_cluster` writes them.

The page has them between marks, <!-- NAME --> and <!-- end -->; the text around them is written by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.cluster import (
    FABRICS,
    Fabric,
    Messages,
    batch_norm_seconds,
    fitted,
    gradient_seconds,
    halving_and_doubling,
    messages,
    predicted,
    ring,
)
from docs.markdown import table

PAGE = Path(__file__).with_name("cluster.md")
MEASURED = Path(__file__).with_name("allreduce.json")  # by `python -m bench allreduce`
RANKS = (1, 2, 4, 8, 16, 64, 256, 1024)


def tables(measured: dict[str, Any]) -> dict[str, str]:
    """{the name of a place in the page: the text for it}"""
    nets = [messages("resnet20", 75e-3), messages("resnet50", 100e-3)]
    shared = fitted(measured)
    found = {"messages": table_of_messages(nets)}
    for sent in nets:
        costs = [f"{fabric.name}\n\n{table_of_costs(sent, fabric)}" for fabric in FABRICS]
        found[sent.name] = "\n\n".join(costs)
    assumed = [[f.name, f"{1e6 * f.alpha:.0f}", f"{f.beta / 1e9:.2f}"] for f in FABRICS]
    found["fabrics"] = with_numbers(["fabric", "α, µs", "β, GB/s"], assumed)
    what = f"{measured['cpu']}, {measured['cores']} cores"
    fit = f"the model's α = {1e6 * shared.alpha:.1f} µs and β = {shared.beta / 1e9:.2f} GB/s are fitted to two ranks"
    found["measured"] = f"{what}; {fit}.\n\n{table_of_measurements(measured, shared)}"
    found["step"] = table_of_a_step(measured["step"])
    return found


def table_of_messages(all_sent: list[Messages]) -> str:
    rows = [
        [sent.name, f"{sent.gradient:,}", str(2 * len(sent.batch_norms)), f"{2 * sum(sent.batch_norms):,}"]
        for sent in all_sent
    ]
    return with_numbers(["network", "gradient, bytes", "messages of sync batch norm", "their bytes"], rows)


def table_of_costs(sent: Messages, fabric: Fabric) -> str:
    rows = []
    for N in (N for N in RANKS if fabric.most >= N):
        gradient, norms = gradient_seconds(N, sent, fabric), batch_norm_seconds(N, sent, fabric)
        times = ring(N, sent.gradient, fabric), halving_and_doubling(N, sent.gradient, fabric), norms
        local, sync = (sent.seconds / (sent.seconds + sending) for sending in (gradient, gradient + norms))
        rows.append([f"{N:,}", *(f"{1e3 * time:.2f}" for time in times), f"{local:.1%}", f"{sync:.1%}"])
    head = ["ranks", "ring, ms", "halving, ms", "batch norms, ms", "efficiency, local", "efficiency, sync"]
    return with_numbers(head, rows)


def table_of_measurements(measured: dict[str, Any], fabric: Fabric) -> str:
    head = ["Allreduce", "bytes", "ranks", "measured: median, ms", "least, ms", "the model, ms"]
    rows = []
    for ranks, row in sorted(measured["rows"].items(), key=lambda item: int(item[0])):
        for name, one in row.items():
            model = predicted(int(ranks), one["bytes"], fabric)
            figures = [f"{1e3 * seconds:.3f}" for seconds in (one["median"], one["least"], model)]
            rows.append([name, f"{one['bytes']:,}", ranks, *figures])
    return with_numbers(head, rows)


def table_of_a_step(step: dict[str, float]) -> str:
    """What sync batch norm and the gradient's message add to forward and backward, on two ranks."""
    what = {
        "local": "forward and backward, batch norm local",
        "sync": "forward and backward, batch norm sync",
        "message": "the message with the gradient",
    }
    rows = [[text, f"{1e3 * step[name]:.2f}", f"{step[name] / step['local']:.1%}"] for name, text in what.items()]
    return with_numbers(["ResNet-20, 64 images a rank, two ranks", "ms", "of the first"], rows)


def with_numbers(head: list[str], rows: list[list[str]]) -> str:
    """A table whose first column names the row; the others are numbers, aligned right."""
    return table(head, rows, right=range(1, len(head)))


def filled_in(page: str, found: dict[str, str]) -> str:
    """The page with these texts between its marks. ValueError: a mark is missing, or is there twice."""
    for name, text in found.items():
        begin = f"<!-- {name} -->"
        if page.count(begin) != 1:
            raise ValueError(f"expected {begin} once, got it {page.count(begin)} times")
        before, _, after = page.partition(begin)
        _, end, after = after.partition("<!-- end -->")
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page


if __name__ == "__main__":
    filled = filled_in(PAGE.read_text(encoding="utf-8"), tables(json.loads(MEASURED.read_text())))
    PAGE.write_text(filled, encoding="utf-8")
