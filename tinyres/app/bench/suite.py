"""All the measurements of `tinyres bench`, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

from tinyres.app.bench import processes
from tinyres.app.bench.layers import with_shares

Result = dict[str, Any]


def bench(
    model: str,
    batch_size: int,
    threads: int,
    repeats: int,
    forward_only: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Result:
    """Measure everything; the result can be written as JSON.

    repeats:      timed calls of each layer, and timed steps
    forward_only: measure the forward pass in eval mode only, no training step
    say:          called with the name of each measurement before it begins

    Failed: a measurement broke.
    """
    run = partial(processes.run, "tinyres.app.bench", threads)
    job = {"model": model, "batch_size": batch_size, "repeats": repeats}
    ours = {**job, "forward_only": forward_only}
    say("the machine")
    machine = run("machine", {"threads": threads})
    say("each convolution")
    rows = with_shares(run("layers", ours), machine["peak_gflops"])
    result = {"settings": {**ours, "threads": threads}, "machine": machine, "layers": rows}
    if not forward_only:
        say("the step, by op")
        result["by_op"] = run("by_op", job)
        say("the training loop")
        result["loop"] = run("loop", job)
    say("the step")
    return {**result, "tinyres": figures([run("step", ours)], batch_size)}


def figures(turns: list[Result], batch_size: int) -> Result:
    """The results of step.measure taken together: their medians, and the most memory of any of them.

    -> {"step": {"ms", "fastest_ms", "images_per_second"}, "forward": the same, "memory": bytes, or None if unknown}
    """
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
