"""`python -m tinyres.app.bench JOB '{…}'`: one measurement in a process of its own; prints JSON. See processes.py."""

import json
import sys
from collections.abc import Callable
from typing import Any

from tinyres.app.bench import layers, loop, machine, step

JOBS: dict[str, Callable[..., Any]] = {
    "machine": machine.machine,
    "layers": layers.layers,
    "step": step.measure,
    "by_op": step.by_op,
    "loop": loop.measure,
}

print(json.dumps(JOBS[sys.argv[1]](**json.loads(sys.argv[2]))))
