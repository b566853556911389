"""The training step and the forward pass, ours and torch's in turns: `python -m bench torch`.

In turns, because a machine has faster and slower minutes: ours, torch, ours, torch, … meet the same ones. The steps of
all turns are put together, and their median counts.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec

from tinyres.app.bench import processes
from tinyres.app.bench.report import NAMES, machine_lines, new_console, steps_table
from tinyres.app.bench.suite import Result, figures
from tinyres.app.training import RunError

TURNS = 3
MODES = ("eager", "channels_last", "compile")  # of torch


def compare(
    model: str,
    batch_size: int,
    threads: int,
    repeats: int,
    forward_only: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Result:
    """Measure both; the result can be written as JSON.

    repeats:      timed steps in each of the TURNS
    forward_only: the forward pass in eval mode only, no training step
    say:          called with the name of each measurement before it begins

    RunError: torch is not installed. Failed: a measurement of ours broke. A mode of torch that breaks is left out, and
    the result holds its error.
    """
    if not find_spec("torch"):
        raise RunError("bench: torch is not installed: pip install -e '.[oracle]'")
    job = {"model": model, "batch_size": batch_size, "repeats": repeats, "forward_only": forward_only}
    say("the machine")
    machine = processes.run("tinyres.app.bench", threads, "machine", {"threads": threads})
    machine["versions"]["torch"] = version("torch")
    settings = {**job, "threads": threads, "turns": TURNS}
    return {"settings": settings, "machine": machine, **in_turns(job, threads, say)}


def in_turns(job: Result, threads: int, say: Callable[[str], None]) -> Result:
    """{"tinyres": figures, "torch": {mode: figures}, "ratio": …}: the step, ours and each of torch's modes in turns."""
    ours: list[Result] = []
    torch: dict[str, list[Result]] = {mode: [] for mode in MODES}
    broken: dict[str, Result] = {}
    for turn in range(TURNS):
        say(f"turn {turn + 1} of {TURNS}: tinyres")
        ours.append(processes.run("tinyres.app.bench", threads, "step", job))
        for mode in [mode for mode in MODES if mode not in broken]:
            say(f"turn {turn + 1} of {TURNS}: torch, {mode}")
            try:
                torch[mode].append(
                    processes.run("bench.torch_twin", threads, {**job, "mode": mode, "threads": threads})
                )
            except processes.Failed as error:
                broken[mode] = {"error": str(error)}
    mine = figures(ours, job["batch_size"])
    theirs = {mode: broken.get(mode) or figures(torch[mode], job["batch_size"]) for mode in MODES}
    return {"tinyres": mine, "torch": theirs, "ratio": ratios(mine, theirs)}


def ratios(mine: Result, torch: dict[str, Result]) -> Result:
    """{"step": {"ratio": our images/s to those of torch's best mode, "best_mode": …}, "forward": the same}"""
    found: Result = {}
    for what in ("step", "forward"):
        times = {mode: figures[what]["ms"] for mode, figures in torch.items() if what in figures}
        if what in mine and times:
            best = min(times, key=lambda mode: times[mode])
            found[what] = {"ratio": times[best] / mine[what]["ms"], "best_mode": best}
    return found


def print_comparison(result: Result) -> None:
    """The ratios first, then the table of times, what broke, and the machine."""
    console = new_console()
    for what, compared in result["ratio"].items():
        line = (
            f"{compared['ratio']:.2f} × torch's images/s ({NAMES[what]}; torch's best mode is {compared['best_mode']})"
        )
        console.print(line, style="bold", markup=False)
    torch = {f"torch, {mode}": figures for mode, figures in result["torch"].items()}
    console.print(steps_table(result["settings"], {"tinyres": result["tinyres"], **torch}))
    for line in machine_lines(result["machine"]):
        console.print(line, markup=False)
