"""Draws each picture, what the network sees of it, and bars for the most likely classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinyres.app.prediction.predict import Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 12  # rows; more would be too small to see
BLUE, GREY, FRAME = "#0072B2", "#999999", "#D55E00"  # Okabe & Ito 2008


def draw_predictions(predictions: Sequence[Prediction], path: Path, title: str) -> int:
    """Write a PNG, and return the number of predictions on it."""
    from matplotlib.figure import Figure

    shown = predictions[:MOST]
    figure = Figure(figsize=(10, 0.6 + 2.4 * len(shown)), dpi=120, layout="constrained")
    figure.suptitle(title, fontweight="bold")
    rows = figure.subplots(len(shown), 3, squeeze=False, width_ratios=(1, 1, 1.6))
    for (picture, seen, bars), prediction in zip(rows, shown, strict=True):
        draw_picture(picture, prediction)
        size = len(prediction.seen)
        seen.imshow(prediction.seen, interpolation="nearest")
        seen.set_title(f"what the network sees: {size}×{size}", fontsize=9)
        seen.set_axis_off()
        draw_bars(bars, prediction)
    figure.savefig(path, format="png")
    return len(shown)


def draw_picture(axes: Axes, prediction: Prediction) -> None:
    """The picture, with a frame around the square that the network sees."""
    from matplotlib.patches import Rectangle

    height, width = prediction.picture.shape[:2]
    side = min(height, width)
    axes.imshow(prediction.picture, interpolation="nearest" if side < 100 else "antialiased")
    if height != width:
        left, top = (width - side) // 2 - 0.5, (height - side) // 2 - 0.5
        axes.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor=FRAME, linewidth=2))
    name = prediction.file.name
    axes.set_title(name if len(name) <= 28 else f"{name[:13]}…{name[-14:]}", fontsize=9, parse_math=False)
    axes.set_axis_off()


def draw_bars(axes: Axes, prediction: Prediction) -> None:
    percent = [100 * p for p in prediction.probabilities]
    names = [name if len(name) <= 24 else name[:23] + "…" for name in prediction.classes]
    places = range(len(names))
    axes.barh(places, percent, color=[BLUE, *[GREY] * (len(names) - 1)], height=0.7)
    axes.set_yticks(places, names, fontsize=10, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, 118)
    axes.set_xticks([])
    for k, value in enumerate(percent):
        axes.text(value + 1.5, k, f"{value:.1f} %", va="center", fontsize=9)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
