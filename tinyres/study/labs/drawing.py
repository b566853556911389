"""The look of every lab's picture: colours that colour-blind readers can tell apart, a light grid, and no frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe & Ito 2008
ORANGE, SKY, GREY = "#E69F00", "#56B4E9", "#777777"
PLAIN, RESIDUAL = VERMILION, BLUE  # in every picture that compares the two kinds of net
COLOURS = {"plain": PLAIN, "residual": RESIDUAL}


def tidy(axes: Axes, title: str, xlabel: str, ylabel: str = "") -> None:
    """Set the labels and a grid, remove the frame, and add a legend if anything drawn has a label."""
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False)
