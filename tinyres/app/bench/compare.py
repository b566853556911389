"""The whole of `tinyres bench`: every measurement in a fresh process, ours and torch's in turns.

A process of its own, because what ran before leaves its memory and its threads behind; and because the number of
threads is best said before NumPy, numba and torch are loaded. In turns, because a machine has faster and slower
minutes: ours, torch, ours, torch, … meet the same ones. All the steps of all the turns are put together, and their
median is what counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

from tinyres.app.bench.layers import with_shares
from tinyres.app.training import RunError

TURNS = 3
MODES = ("eager", "channels_last", "compile")  # of torch
THREADS = (
    "TINYRES_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

Result = dict[str, Any]


class Failed(RunError):
    """A measurement's process ended without a result."""


def bench(
    model: str,
    batch_size: int,
    threads: int,
    repeats: int,
    forward_only: bool = False,
    with_torch: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> Result:
    """Measure it all; the result can be written as JSON.

    repeats:      timed calls of each layer, and timed steps in each of the TURNS
    forward_only: the forward pass in eval mode only, no training step
    say:          told what is being measured

    Failed: a measurement of ours broke. A mode of torch that breaks is left out, and its error told in the result.
    """
    job = {"model": model, "batch_size": batch_size, "repeats": repeats}
    ours = {**job, "forward_only": forward_only}
    say("the machine")
    machine = run("tinyres.app.bench", threads, "machine", {"threads": threads})
    say("each convolution")
    rows = with_shares(run("tinyres.app.bench", threads, "layers", ours), machine["peak_gflops"])
    result = {"settings": {**ours, "threads": threads, "turns": TURNS}, "machine": machine, "layers": rows}
    if not forward_only:
        say("the step, by op")
        result["by_op"] = run("tinyres.app.bench", threads, "by_op", job)
        say("the training loop")
        result["loop"] = run("tinyres.app.bench", threads, "loop", job)
    modes = MODES if with_torch and find_spec("torch") else ()
    return {**result, **in_turns(ours, threads, modes, say)}


def in_turns(job: Result, threads: int, modes: tuple[str, ...], say: Callable[[str], None]) -> Result:
    """{"tinyres": figures, "torch": {mode: figures}, "ratio": …}: the step, ours and each of torch's modes in turns."""
    ours: list[Result] = []
    torch: dict[str, list[Result]] = {mode: [] for mode in modes}
    broken: dict[str, Result] = {}
    for turn in range(TURNS):
        say(f"turn {turn + 1} of {TURNS}: tinyres")
        ours.append(run("tinyres.app.bench", threads, "step", job))
        for mode in [mode for mode in modes if mode not in broken]:
            say(f"turn {turn + 1} of {TURNS}: torch, {mode}")
            try:
                torch[mode].append(
                    run("tinyres.app.bench.torch_twin", threads, {**job, "mode": mode, "threads": threads})
                )
            except Failed as error:
                broken[mode] = {"error": str(error)}
    mine = figures(ours, job["batch_size"])
    theirs = {mode: broken.get(mode) or figures(torch[mode], job["batch_size"]) for mode in modes}
    return {"tinyres": mine, "torch": theirs, "ratio": ratios(mine, theirs)}


def figures(turns: list[Result], batch_size: int) -> Result:
    """All turns together: {"step": {"ms", "images_per_second"}, "forward": the same, "memory": bytes at most}"""
    found: Result = {}
    for what in ("step", "forward"):
        if what in turns[0]:
            taken = [second for turn in turns for second in turn[what]]
            found[what] = {
                "ms": 1e3 * median(taken),
                "fastest_ms": 1e3 * min(taken),
                "images_per_second": batch_size / median(taken),
            }
    memory = [turn["memory"] for turn in turns]
    found["memory"] = None if None in memory else max(memory)
    return found


def ratios(mine: Result, torch: dict[str, Result]) -> Result:
    """{"step": {"ratio": our images/s to those of torch's best mode, "best_mode": …}, "forward": the same}"""
    found: Result = {}
    for what in ("step", "forward"):
        times = {mode: figures[what]["ms"] for mode, figures in torch.items() if what in figures}
        if what in mine and times:
            best = min(times, key=lambda mode: times[mode])
            found[what] = {"ratio": times[best] / mine[what]["ms"], "best_mode": best}
    return found


def run(module: str, threads: int, *arguments: Any) -> Any:
    """The JSON that `python -m module arguments` prints, on so many threads. Failed: it did not."""
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads)), "PYTHONPATH": os.pathsep.join(sys.path)}
    for ours in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):  # each side waits by its own default: not torch by our kernels'
        environment.pop(ours, None)
    texts = [argument if isinstance(argument, str) else json.dumps(argument) for argument in arguments]
    command = [sys.executable, "-P", "-m", module, *texts]
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    if process.returncode != 0:
        raise Failed(f"bench: {module} {' '.join(texts)}: {reason(process)}")
    return json.loads(process.stdout.splitlines()[-1])


def reason(process: subprocess.CompletedProcess[str]) -> str:
    """Why it ended: the last line that names an error, for some say more below it."""
    lines = process.stderr.strip().splitlines() or [f"exit code {process.returncode}"]
    errors = [line.strip() for line in lines if "Error" in line]
    return errors[-1] if errors else lines[-1]
