"""Draws the error of a measured slope over the step: large steps err by curvature, small ones by rounding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinyres.check.proof.steps import Sweep

# Colour-blind readers can tell these apart (Okabe & Ito 2008); the marks help in black and white.
LOOKS = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"))
LOWEST = 1e-17  # replaces 0, which a logarithmic axis cannot show


def draw_step_sizes(sweeps: Sequence[Sweep], path: Path) -> None:
    """Write a PNG."""
    step_sizes(sweeps).savefig(path)


def step_sizes(sweeps: Sequence[Sweep]) -> Figure:
    """Central differences in colour, complex steps in black; both axes logarithmic, the steps falling to the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 5.2), dpi=150, layout="constrained")
    axes = figure.subplots()
    for (color, mark), sweep in zip(LOOKS, sweeps, strict=False):
        axes.loglog(
            sweep.steps, above_zero(sweep.central), color=color, marker=mark, markersize=5, label=f"central: {sweep.op}"
        )
    for sweep in sweeps:
        label = "complex: each of them" if sweep is sweeps[0] else None
        axes.loglog(sweep.steps, above_zero(sweep.complex), color="black", linestyle="--", linewidth=1, label=label)
    _say_why(axes)
    axes.set(
        xlabel="step h",
        ylabel="relative error of the slope",
        title="A measured slope: how small a step?",
        ylim=(2e-18, 1e2),
    )
    axes.invert_xaxis()
    axes.legend(frameon=False, loc="upper center", ncols=3)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _say_why(axes: Axes) -> None:
    """Write the two laws along the curves that follow them, and mark gradcheck's step between them."""
    axes.text(3e-2, 3e-7, "the curve bends: h²", rotation=-47, color="0.3", ha="left", va="top")
    axes.text(5e-10, 2e-10, "rounding: 1e-16 / h", rotation=24, color="0.3", ha="left", va="bottom")
    axes.text(3e-10, 4e-15, "nothing is subtracted, nothing is lost", color="0.3", ha="left", va="bottom")
    axes.axvline(1e-6, ymax=0.82, color="0.5", linestyle=":", linewidth=1)
    axes.text(8e-7, 3e-5, "gradcheck's\nstep", color="0.3", ha="left", va="bottom")


def above_zero(errors: Sequence[float]) -> list[float]:
    return [max(error, LOWEST) for error in errors]
