"""What `tinyres bench` prints: the step, the convolutions, the ops, and the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinyres.app.bench.layers import DIRECTIONS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NAMES = {"step": "training step", "forward": "forward pass, eval"}
BESIDE = {
    "optimizer": "the optimiser: momentum, weight decay",
    "waiting": "waiting for the batch",
    "preparing": "preparing it: crop, flip, normalise",
    "metrics": "metrics: loss and accuracy",
    "together": "total",
}


def print_report(result: dict[str, Any]) -> None:
    console = new_console()
    console.print(steps_table(result["settings"], {"tinyres": result["tinyres"]}))
    console.print(layers_table(result))
    if "by_op" in result:
        console.print(ops_table(result["by_op"]))
        console.print(loop_table(result["loop"]))
    for line in machine_lines(result["machine"]):
        console.print(line, markup=False)


def new_console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def steps_table(settings: dict[str, Any], measured: dict[str, dict[str, Any]]) -> Table:
    """A row for each program: its name, and its figures (suite.figures) or {"error": why there are none}."""
    title = f"{settings['model']}, batches of {settings['batch_size']}, threads: {settings['threads']}; medians"
    table = new_table(title, "")
    for heading in ("step, ms", "images/s", "eval, ms", "images/s", "memory"):
        table.add_column(heading, justify="right")
    for name, figures in measured.items():
        if "error" in figures:
            table.add_row(f"{name}: failed")
            continue
        cells = [cell for what in NAMES for cell in speed_cells(figures.get(what))]
        table.add_row(name, *cells, "–" if figures["memory"] is None else f"{figures['memory'] / 2**20:.0f} MiB")
    notes = ["eval: the forward pass alone, nothing recorded. memory: the most it ever held."]
    errors = [f"{name}: {figures['error']}" for name, figures in measured.items() if "error" in figures]
    table.caption = "\n".join(notes + errors)
    return table


def speed_cells(speed: dict[str, float] | None) -> tuple[str, str]:
    return (f"{speed['ms']:.1f}", f"{speed['images_per_second']:.0f}") if speed else ("–", "–")


def layers_table(result: dict[str, Any]) -> Table:
    title = f"Convolutions; the peak is {result['machine']['peak_gflops']:.0f} GFLOP/s"
    table = new_table(title, "", "layer", "×", "", "ms", "GFLOP/s", "of peak", "rung")
    for number, row in enumerate(result["layers"], 1):
        for name in DIRECTIONS:
            if name in row["directions"]:
                measured = row["directions"][name]
                first = name == "forward"
                table.add_row(
                    *((str(number), layer_name(row), str(row["count"])) if first else ("", "", "")),
                    name,
                    f"{measured['ms']:.2f}",
                    f"{measured['gflops']:.0f}",
                    f"{measured['share']:.0%}",
                    measured["rung"],
                )
    table.caption = (
        "GFLOP/s count the operations of the definition. A kernel that needs fewer can\n"
        "exceed 100 %: 3×3 with a stride of 1 takes a quarter (conv2d_winograd.py)."
    )
    return table


def layer_name(row: dict[str, Any]) -> str:
    """16→32 3×3/2 of 32×32: its channels, kernel, stride, and the size of its input images."""
    O, C, KH, KW = row["w"]
    stride = f"/{row['stride'][0]}" if row["stride"][0] > 1 else ""
    return f"{C}→{O} {KH}×{KW}{stride} of {row['x'][2]}×{row['x'][3]}"


def ops_table(rows: list[dict[str, Any]]) -> Table:
    phases = ("forward", "backward", "update")
    total = sum(row[f"{phase}_ms"] for row in rows for phase in phases)
    table = new_table(f"The training step by op; {total:.1f} ms, mean", "op", *phases, "share")
    for row in rows:
        taken = [row[f"{phase}_ms"] for phase in phases]
        table.add_row(row["op"], *(f"{ms:.1f}" if ms else "" for ms in taken), f"{sum(taken) / total:.0%}")
    return table


def loop_table(loop: dict[str, Any]) -> Table:
    table = new_table(f"Beside the network, of a step of {loop['step_ms']:.1f} ms; mean", "", "ms", "share")
    for part, label in BESIDE.items():
        table.add_row(label, f"{loop[part]['ms']:.2f}", f"{loop[part]['share']:.2%}", end_section=part == "metrics")
    table.caption = "preparing: by a second thread, counted as if the step waited for it."
    return table


def machine_lines(machine: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    return [
        f"{machine['cpu']}, {machine['cores']} cores, vectors of {machine['vector_bits']} bits, "
        f"threads: {machine['threads']}; {versions}",
        f"multiply-adds in registers {machine['peak_gflops']:.0f} GFLOP/s, "
        f"NumPy's sgemm {machine['sgemm_gflops']:.0f} GFLOP/s, "
        f"copying memory {machine['copy_gb_per_s']:.1f} GB/s",
    ]


def new_table(title: str, *headings: str) -> Table:
    """Words are aligned left, figures right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    left = ("", "layer", "rung", "op")
    table = Table(title=title, title_justify="left", title_style="bold", caption_justify="left", box=SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in left else "right", no_wrap=True)
    return table
