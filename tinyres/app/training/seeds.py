"""The same run with several seeds, which shows how much of a result is luck.

DIR/seeds.json lists the runs, DIR/seed-0, DIR/seed-1, … are ordinary run folders, and DIR/result.json has the mean and
the standard deviation.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from tinyres.app.training.errors import RunError
from tinyres.app.training.files import write_json
from tinyres.app.training.run import Result, resume, train
from tinyres.app.training.run_folder import FORMAT_VERSION, RunFolder
from tinyres.app.training.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console


def train_seeds(settings: Settings, count: int, folder: RunFolder, console: Console | None = None) -> Result:
    """Train with `count` seeds, 2 or more: settings.seed, settings.seed + 1, … Returns the content of result.json."""
    folder.refuse_unless_free()
    folder.path.mkdir(parents=True, exist_ok=True)
    plan = {"format_version": FORMAT_VERSION, "settings": asdict(settings), "count": count}
    write_json(plan_file(folder), plan)
    return resume_seeds(settings, count, folder, console)


def resume_seeds(settings: Settings, count: int, folder: RunFolder, console: Console | None = None) -> Result:
    """Go on where train_seeds stopped: finished runs are kept, a stopped run goes on, and the others follow."""
    results = []
    for seed in range(settings.seed, settings.seed + count):
        one, settings_of_one = RunFolder(folder.path / f"seed-{seed}"), replace(settings, seed=seed)
        go = resume if one.config.exists() else train
        results.append(go(settings_of_one, one, console))
    accuracies = [result["test_accuracy"] for result in results]
    result = {
        "seeds": list(range(settings.seed, settings.seed + count)),
        "test_accuracies": accuracies,
        "test_accuracy": mean(accuracies),
        "test_accuracy_std": stdev(accuracies),
    }
    folder.write_result(result)
    return result


def plan_file(folder: RunFolder) -> Path:
    return folder.path / "seeds.json"


def read_plan(folder: RunFolder) -> tuple[Settings, int]:
    """The settings and the count that train_seeds was called with. RunError: the file is damaged."""
    path = plan_file(folder)
    try:
        plan: dict[str, Any] = json.loads(path.read_text())
        if plan["format_version"] != FORMAT_VERSION:
            raise RunError(f"{path}: expected format version {FORMAT_VERSION}, got {plan['format_version']}")
        return Settings(**plan["settings"]), plan["count"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: damaged ({error}); put the original back, or start new runs") from error
