"""What the folders of several runs say, for comparison. Nothing is written; a damaged run is listed as damaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any, TypeVar

from tinyres.app.training import checkpoint
from tinyres.app.training.errors import RunError
from tinyres.app.training.lock import is_locked
from tinyres.app.training.run_folder import Metrics, RunFolder
from tinyres.app.training.seeds import plan_file, read_plan
from tinyres.app.training.settings import Settings

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class Overview:
    """One run, or one folder of `--seeds`. Errors are fractions from 0 to 1; None means not known, or not yet.

    state:             finished, running, stopped (--resume goes on with it) or damaged
    epochs, of:        how many are done, and how many there will be
    validation_error:  the lowest of all epochs; with --seeds the mean of these over the runs
    test_error:        with --seeds the mean over the runs; test_error_std is their standard deviation
    images_per_second: the median over the epochs, or over the runs
    seconds:           of training
    runs:              with --seeds how many there will be; else None
    problems:          what is damaged, and what to do
    metrics:           a dict for every epoch, as in metrics.jsonl
    """

    name: str
    state: str
    model: str | None = None
    data: str | None = None
    recipe: str | None = None
    seed: int | None = None
    epochs: int = 0
    of: int | None = None
    validation_error: float | None = None
    test_error: float | None = None
    test_error_std: float | None = None
    images_per_second: float | None = None
    seconds: float = 0.0
    runs: int | None = None
    problems: tuple[str, ...] = ()
    metrics: tuple[Metrics, ...] = field(default=(), repr=False)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def overviews(folders: Iterable[Path]) -> list[Overview]:
    """One for each folder or, if it is not a run's folder, for each run directly in it. Those of --seeds have their
    runs after them.

    This reads everything and checks the digests of the checkpoints. RunError: there is no such folder.
    """
    return [one for folder in folders for path in _runs_at(folder) for one in _overviews_of(RunFolder(path))]


def is_lab(folder: Path) -> bool:
    """Is it a folder of `tinyres lab`?"""
    return (folder / "settings.json").exists() and (folder / "parts").is_dir()


def _runs_at(path: Path) -> list[Path]:
    if not path.is_dir():
        raise RunError(f"{path}: no such folder; name a run's folder, or one with runs in it")
    return [path] if _is_run(path) else [inside for inside in sorted(path.iterdir()) if _is_run(inside)]


def _is_run(path: Path) -> bool:
    folder = RunFolder(path)
    return folder.config.exists() or plan_file(folder).exists()


def _overviews_of(folder: RunFolder) -> Iterator[Overview]:
    if not plan_file(folder).exists():
        yield _of_one(folder)
        return
    runs = [_of_one(RunFolder(path)) for path in sorted(folder.path.glob("seed-*")) if _is_run(path)]
    yield _of_seeds(folder, runs)
    yield from runs


def _of_one(folder: RunFolder) -> Overview:
    problems: list[str] = []
    running = is_locked(folder.path)
    config = _read(folder.read_config, problems)
    metrics = _read(folder.read_metrics, problems) or []
    result = _read(folder.read_result, problems)
    if not running:  # otherwise one may be half written
        for path in _checkpoints(folder, expected=result is not None or len(metrics) > 1):
            _read(partial(checkpoint.load, path), problems)
    return Overview(
        name=str(folder),
        state=_state(problems, result is not None, running),
        **(_identity(config["settings"]) if config else {}),
        epochs=len(metrics),
        of=result["epochs"] if result else _epochs_to_do(config["settings"], metrics) if config else None,
        validation_error=min((1 - line["validation_accuracy"] for line in metrics), default=None),
        test_error=1 - result["test_accuracy"] if result else None,
        images_per_second=median(line["images_per_second"] for line in metrics) if metrics else None,
        seconds=sum(line["seconds"] for line in metrics),
        problems=tuple(problems),
        metrics=tuple(metrics),
    )


def _of_seeds(folder: RunFolder, runs: Sequence[Overview]) -> Overview:
    problems: list[str] = []
    plan = _read(partial(read_plan, folder), problems)
    result = _read(folder.read_result, problems)
    epochs = next((run.of for run in runs if run.of), None)
    errors = [run.validation_error for run in runs if run.validation_error is not None]
    speeds = [run.images_per_second for run in runs if run.images_per_second is not None]
    return Overview(
        name=str(folder),
        state=_state(problems, result is not None, any(run.state == "running" for run in runs)),
        **(_identity(plan[0]) if plan else {}),
        epochs=sum(run.epochs for run in runs),
        of=epochs * plan[1] if plan and epochs else None,
        validation_error=mean(errors) if errors else None,
        test_error=1 - result["test_accuracy"] if result else None,
        test_error_std=result["test_accuracy_std"] if result else None,
        images_per_second=median(speeds) if speeds else None,
        seconds=sum(run.seconds for run in runs),
        runs=plan[1] if plan else len(runs),
        problems=tuple(problems),
    )


def _read(read: Callable[[], Value], problems: list[str]) -> Value | None:
    """What `read` returns; or None, after its error has been added to the problems."""
    try:
        return read()
    except (RunError, OSError) as error:
        problems.append(str(error))
        return None


def _checkpoints(folder: RunFolder, expected: bool) -> list[Path]:
    """Those that exist or should exist. A run that was killed between two renames has `previous` but no `last`."""
    last = folder.last if folder.last.exists() or not folder.previous.exists() else folder.previous
    return [path for path in (folder.best, last) if expected or path.exists()]


def _state(problems: Sequence[str], finished: bool, running: bool) -> str:
    return "damaged" if problems else "finished" if finished else "running" if running else "stopped"


def _identity(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ("model", "data", "recipe", "seed")}


def _epochs_to_do(settings: Settings, metrics: Sequence[Metrics]) -> int | None:
    """If the settings count steps, the first epoch's line says how many steps an epoch has."""
    if settings.steps is None:
        return settings.epochs
    steps = metrics[0].get("step") if metrics else None
    return math.ceil(settings.steps / steps) if steps else None
