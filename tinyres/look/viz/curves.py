"""Learning curves: loss and error over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAINING, VALIDATION = (
    "#0072B2",
    "#D55E00",
)  # blue, vermilion: told apart by colour-blind readers (Okabe & Ito 2008)


def draw_curves(metrics: Sequence[dict[str, Any]], path: Path, model: str, data: str) -> None:
    """Write a PNG of the curves in metrics.jsonl."""
    curves(metrics, f"{model} on {data}").savefig(path)


def curves(metrics: Sequence[dict[str, Any]], title: str) -> Figure:
    """Cross-entropy on the left, error in percent on the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), dpi=150, layout="constrained")
    loss, error = figure.subplots(1, 2)
    figure.suptitle(title, fontweight="bold")
    epochs = [line["epoch"] for line in metrics]
    _pair(loss, epochs, [line["train_loss"] for line in metrics], [line["validation_loss"] for line in metrics])
    train_error = [100 * (1 - line["train_accuracy"]) for line in metrics]
    validation_error = [100 * (1 - line["validation_accuracy"]) for line in metrics]
    _pair(error, epochs, train_error, validation_error)
    loss.set(title="Loss", ylabel="cross-entropy (nats per image)")
    error.set(title="Error", ylabel="images classified wrongly (%)")
    _mark_lowest(error, epochs, validation_error)
    for axes in (loss, error):
        axes.legend(frameon=False)
    return figure


def _pair(axes: Axes, epochs: Sequence[int], train: Sequence[float], validation: Sequence[float]) -> None:
    dots = "o" if len(epochs) < 40 else ""
    axes.plot(epochs, train, dots + "-", color=TRAINING, markersize=4, label="training, during the epoch")
    axes.plot(epochs, validation, dots + "--", color=VALIDATION, markersize=4, label="validation, after the epoch")
    axes.set_xlabel("epoch")
    axes.set_ylim(0, 1.08 * max(*train, *validation))
    axes.set_xlim(min(0.5, 1 - 0.02 * len(epochs)), len(epochs) + max(0.5, 0.02 * len(epochs)))
    axes.locator_params(axis="x", integer=True)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _mark_lowest(axes: Axes, epochs: Sequence[int], errors: Sequence[float]) -> None:
    """A ring around the first of the lowest errors: the weights of that epoch are kept."""
    lowest = min(errors)
    epoch = epochs[errors.index(lowest)]
    label = f"kept: {lowest:.1f} % after epoch {epoch}"
    axes.plot(epoch, lowest, "o", color=VALIDATION, markersize=12, markerfacecolor="none", label=label)
