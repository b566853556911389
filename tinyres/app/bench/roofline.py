"""Draws the roofline: the speed of each convolution below the machine's two roofs (Williams et al. 2009).

A layer that does I operations for each byte it moves can do at most min(peak, I · bandwidth) operations a second: on
the left it waits for memory, on the right for the multiply-adds. The distance of a point from the roof is the possible
gain.

Operations are those of the definition, the plain sums. A kernel that needs fewer for the same result
(conv2d_winograd.py) can be above the roof of the multiply-adds.

Source. Williams, Waterman & Patterson 2009, "Roofline: an insightful visual performance model for multicore
architectures".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyres.app.bench.report import layer_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colour-blind readers can tell these apart (Okabe & Ito 2008); the shapes help, too.
LOOKS: dict[str, Any] = {
    "forward": {"color": "#0072B2", "marker": "o"},  # blue
    "grad_x": {"color": "#D55E00", "marker": "s"},  # vermilion
    "grad_w": {"color": "#009E73", "marker": "^"},  # green
}


def draw_roofline(result: dict[str, Any], path: Path) -> None:
    """Write a PNG of the result of suite.bench."""
    roofline(result).savefig(path)


def roofline(result: dict[str, Any]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.6), dpi=150, layout="constrained")
    axes, legend = figure.subplots(1, 2, width_ratios=(3.2, 1))
    settings, machine = result["settings"], result["machine"]
    figure.suptitle(f"Convolutions of {settings['model']}, batches of {settings['batch_size']}", fontweight="bold")
    axes.set_title(f"{machine['cpu']}, {machine['threads']} threads, {machine['vector_bits']}-bit vectors", fontsize=10)
    roofs(axes, machine, [row["flop_per_byte"] for row in result["layers"]])
    points(axes, result["layers"])
    axes.set(xscale="log", yscale="log", xlabel="arithmetic intensity (FLOP per byte)", ylabel="speed (GFLOP/s)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.25, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    legend.axis("off")
    legend.legend(*axes.get_legend_handles_labels(), loc="upper left", frameon=False)
    names = [f"{number}  {layer_name(row)}" for number, row in enumerate(result["layers"], 1)]
    legend.text(0.04, 0.66, "\n".join(names), va="top", linespacing=1.5, fontsize=9, transform=legend.transAxes)
    return figure


def roofs(axes: Axes, machine: dict[str, Any], intensities: list[float]) -> None:
    peak, bandwidth = machine["peak_gflops"], machine["copy_gb_per_s"]
    ridge = peak / bandwidth  # where the two roofs meet
    left, right = min(*intensities, ridge) / 2, max(*intensities, ridge) * 2
    axes.plot([left, ridge], [left * bandwidth, peak], "k-", linewidth=1.5, label=f"memory: {bandwidth:.1f} GB/s")
    axes.plot([ridge, right], [peak, peak], "k--", linewidth=1.5, label=f"multiply-adds: {peak:.0f} GFLOP/s")
    sgemm = machine["sgemm_gflops"]
    axes.plot([left, right], [sgemm, sgemm], ":", color="0.5", label=f"NumPy's sgemm: {sgemm:.0f} GFLOP/s")


def points(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """A point for each direction of each layer, with the layer's number above the highest.

    The directions of a layer have the same intensity; they are drawn side by side, so that none hides another.
    """
    for (name, look), aside in zip(LOOKS.items(), (0.93, 1, 1.07), strict=True):
        measured = [(aside * row["flop_per_byte"], row["directions"].get(name)) for row in rows]
        found = [(x, figures["gflops"]) for x, figures in measured if figures]
        if found:
            x, y = zip(*found, strict=True)
            axes.plot(x, y, linestyle="", markersize=7, markeredgecolor="white", label=name, **look)
    for number, row in enumerate(rows, 1):
        highest = max(figures["gflops"] for figures in row["directions"].values())
        at = (row["flop_per_byte"], highest)
        axes.annotate(str(number), at, xytext=(0, 7), textcoords="offset points", ha="center", fontsize=9)
