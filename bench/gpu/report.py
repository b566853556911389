"""What `python -m bench gpu` prints: a line for each row, a table for each section, and a summary at the end.

The roofline (Williams, Waterman & Patterson 2009): a kernel cannot move its bytes faster than a copy does, nor do its
operations faster than multiply-adds that stay in registers. The longer of these two times is the least that it can
take; its share of the roofline is that time divided by the time that it took.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

EPOCH = 50_000  # images: CIFAR's training set

Result = dict[str, Any]
Row = dict[str, Any]


def row_line(section: str, row: Row) -> str:
    """kernels  relu 128×16×32×32: ms 0.0211, bytes 16777216"""
    figures = [f"{name} {figure(value)}" for name, value in row.items() if name != "item"]
    return f"{section}  {row['item']}: {', '.join(figures)}"


def section_text(section: str, result: Result) -> str:
    """The text about a section that is finished."""
    tables = {"kernels": kernels_text, "training": summary, "torch_steps": torch_text}
    found = result["sections"][section]
    told = tables[section](result) if section in tables else f"{len(sound(found))} of {len(found)} done"
    return f"── {section}\n{told}\n"


def kernels_text(result: Result) -> str:
    """A line for each kernel and kind of product: its calls in a step, their time, and their share of the roofline."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in sound(result["sections"]["kernels"]):
        groups.setdefault((row["kernel"], row["kind"]), []).append(row)
    lines = [("kernel", "products", "calls", "ms a step", "of roofline")]
    for (kernel, kind), rows in groups.items():
        taken = sum(row["count"] * row["ms"] for row in rows)
        least = [at_least(row, result) for row in rows]
        known = [row["count"] * ms for row, ms in zip(rows, least, strict=True) if ms is not None]
        share = f"{sum(known) / taken:.0%}" if len(known) == len(rows) else "–"
        lines.append((kernel, kind, str(sum(row["count"] for row in rows)), f"{taken:.3f}", share))
    return table(lines)


def at_least(row: Row, result: Result) -> float | None:
    """The least milliseconds that this call can take by the measured roofs; None: they were not measured."""
    roofs = {roof["item"]: roof for roof in sound(result["sections"].get("roofs", []))}
    if "copy" not in roofs or row["kind"] not in roofs:
        return None
    return max(row["bytes"] / roofs["copy"]["gb_per_s"], row["flop"] / roofs[row["kind"]]["gflops"]) / 1e6


def torch_text(result: Result) -> str:
    lines = [("network", "products", "way", "ms", "images/s")]
    for row in result["sections"]["torch_steps"]:
        model, kind, way = row["item"].split() if row["item"].count(" ") == 2 else (row["item"], "", "")
        cells = ("failed", "") if "error" in row else (f"{row['ms']:.2f}", f"{row['images_per_second']:,.0f}")
        lines.append((model, kind, way, *cells))
    return table(lines)


def summary(result: Result) -> str:
    """A line for every network and kind of product: ours beside torch's best."""
    sections = result["sections"]
    ours, torch = best(sections.get("training", [])), best(sections.get("torch_steps", []))
    lines = [("network", "products", "images/s", "s/epoch", "torch's best", "", "ratio")]
    for model, kind in dict.fromkeys([*ours, *torch]):
        mine, theirs = ours.get((model, kind)), torch.get((model, kind))
        speed = [row["images_per_second"] if row else None for row in (mine, theirs)]
        lines.append(
            (
                model,
                kind,
                f"{speed[0]:,.0f}" if speed[0] else "–",
                f"{EPOCH / speed[0]:.3f}" if speed[0] else "–",
                f"{speed[1]:,.0f}" if speed[1] else "–",
                theirs["way"] if theirs else "",
                f"{speed[0] / speed[1]:.2f}" if speed[0] and speed[1] else "–",
            )
        )
    return table(lines)


def last_words(result: Result, failures: list[str]) -> str:
    """The end of the report: the GPU, the summary, what is correct, the paper's run, and what failed."""
    sections = result["sections"]
    roofs = sound(sections.get("roofs", []))
    card = next((row for row in roofs if row["item"] == "card"), {"name": "an unknown card"})
    lines = [f"{card['name']}, batches of {result['settings']['batch_size']}", summary(result)]
    if right := sections.get("correctness"):
        lines.append(f"correct: {len(sound(right))} of {len(right)} kernels, against float64 on the CPU")
    kernels = sound(sections.get("kernels", []))
    shares = [at_least(row, result) for row in kernels]
    reached = [ms / row["ms"] for ms, row in zip(shares, kernels, strict=True) if ms is not None]
    if reached:
        lines.append(f"kernels: {median(reached):.0%} of the roofline (median of {len(reached)})")
    for row in sound(sections.get("paper", [])):
        error, taken = 1 - row["test_accuracy"], row["seconds"]
        lines.append(f"paper's recipe: test error {error:.2%}, {taken:.0f} s, {row['folder']}")
    if "torch_steps" not in sections:
        lines.append("torch: not measured; it is not installed, or was not chosen")
    lines += [f"FAILED  {text}" for text in failures]
    return "\n".join(lines)


def best(rows: list[Row]) -> dict[tuple[str, str], Row]:
    """The fastest way of each network and kind."""
    found: dict[tuple[str, str], Row] = {}
    for row in sound(rows):
        key = row["model"], row["kind"]
        if key not in found or row["ms"] < found[key]["ms"]:
            found[key] = row
    return found


def sound(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if "error" not in row]


def figure(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(figure, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table(lines: Sequence[Sequence[str]]) -> str:
    """In columns: words aligned left, numbers right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numeric = [any(cell[:1].isdigit() for cell in column[1:]) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )
