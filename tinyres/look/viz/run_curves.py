"""Draws the curves of several runs: validation error and training loss over the epochs, the best runs in colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colour-blind readers can tell these apart (Okabe & Ito 2008, without yellow, which is faint on white).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--")
LOOKS = [(color, dash) for dash in DASHES for color in COLORS]  # more cannot be told apart
OTHERS = "#BBBBBB"

Run = tuple[str, Sequence[dict[str, Any]]]  # its name, and its lines of metrics.jsonl


def draw_run_curves(runs: Sequence[Run], path: Path) -> None:
    """Write a PNG. ValueError: no run has finished an epoch."""
    run_curves(runs).savefig(path)


def run_curves(runs: Sequence[Run]) -> Figure:
    """The legend begins with the lowest validation error; runs after the fourteenth are grey."""
    from matplotlib.figure import Figure

    ranked = sorted((lowest_error(metrics), name, metrics) for name, metrics in runs if metrics)
    if not ranked:
        raise ValueError("expected a run with an epoch done, got none")
    figure = Figure(figsize=(14, 5), dpi=150, layout="constrained")
    error, loss = figure.subplots(1, 2)
    grey = ranked[len(LOOKS) :]
    for k, (_, _, metrics) in enumerate(grey):
        label = f"{len(grey)} more, down to {grey[0][0]:.2f} %" if k == 0 else None
        _line(error, loss, metrics, color=OTHERS, linewidth=0.8, zorder=1, label=label)
    for (color, dash), (lowest, name, metrics) in zip(LOOKS, ranked, strict=False):
        mark = "o" if len(metrics) == 1 else ""  # one epoch makes no line
        _line(error, loss, metrics, color=color, linestyle=dash, marker=mark, label=f"{lowest:.2f} %  {short(name)}")
    error.set(title="Validation error", ylabel="images classified wrongly (%)")
    loss.set(title="Training loss", ylabel="cross-entropy (nats per image)")
    for axes in (error, loss):
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
        axes.locator_params(axis="x", integer=True)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = error.get_legend_handles_labels()
    if grey:  # the grey curves are drawn first and named last
        handles, labels = [*handles[1:], handles[0]], [*labels[1:], labels[0]]
    figure.legend(handles, labels, loc="outside right upper", frameon=False, title="lowest validation error of")
    return figure


def short(name: str, length: int = 36) -> str:
    """The end of the name, where the names of runs differ."""
    return name if len(name) <= length else f"…{name[1 - length :]}"


def lowest_error(metrics: Sequence[dict[str, Any]]) -> float:
    """The lowest validation error, in percent."""
    return min(100 * (1 - line["validation_accuracy"]) for line in metrics)


def _line(error: Any, loss: Any, metrics: Sequence[dict[str, Any]], label: str | None, **look: Any) -> None:
    epochs = [line["epoch"] for line in metrics]
    error.plot(epochs, [100 * (1 - line["validation_accuracy"]) for line in metrics], label=label, **look)
    loss.plot(epochs, [line["train_loss"] for line in metrics], **look)
