"""What mpiexec starts in the tests: `tinyres ARGUMENTS` in the tiny world of runs.py.

The variable ACCIDENT makes one rank fail: "RANK STEP WHAT", where WHAT is kill, raise, nan, or wait (for two seconds,
after it has written the file "waiting").
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import runs

from tinyres import data
from tinyres.app import cli
from tinyres.app.training import trainer
from tinyres.scale import team
from tinyres.scale.parallel import rank_started


def with_accident(backpropagate: Callable[..., Any], rank: str, at: str, what: str) -> Callable[..., Any]:
    steps = 0

    def step(model: Any, *arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        result = backpropagate(model, *arguments)
        if (rank_started(), steps) == (int(rank), int(at)):
            if what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "raise":
                raise RuntimeError("planted")
            if what == "nan":
                next(iter(model.parameters())).grad[:] = np.nan
            if what == "wait":
                Path("waiting").touch()
                time.sleep(2)
        return result

    return step


def main() -> int:
    runs.add_model(pytest.MonkeyPatch(), "tiny", runs.tiny)
    data.shapes = runs.few_shapes
    trainer.draw_curves = lambda *arguments: None
    trainer.SAVE_EVERY = 0.0  # after every step
    if accident := os.environ.get("ACCIDENT", ""):
        team.backpropagate = with_accident(team.backpropagate, *accident.split())
    if rank_started() > 0:  # so that a test can see what ranks other than the first have written
        Path("elsewhere").mkdir(exist_ok=True)
        os.chdir("elsewhere")
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
