"""A run's folder and its files.

config.json            all settings, and the versions and the number of threads they ran with
metrics.jsonl          a line for every epoch, written as soon as it ends
curves.png             the same as a picture, drawn every half minute and at the end
events.out.tfevents.…  the same for TensorBoard, if asked for
last.safetensors       the newest state of training, to go on from
previous.safetensors   the state before, in case the last one is damaged
best.safetensors       the weights that were best on the validation set
result.json            the figures on the test set; written last, so a run that has it is finished
"""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tinyres.app.training.errors import RunError
from tinyres.app.training.files import LEFTOVERS, append, write_atomically, write_json
from tinyres.app.training.lock import LOCK
from tinyres.app.training.settings import Settings

FORMAT_VERSION = 1
Metrics = dict[str, Any]
METRICS = (
    "epoch",
    "lr",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "images_per_second",
    "seconds",
)
RESULT = ("epoch", "epochs", "validation_accuracy", "test_accuracy", "test_loss", "test_images", "seconds")
RESULT_OF_SEEDS = ("test_accuracy", "test_accuracy_std")


class RunFolder:
    """The files of one run."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.metrics = self.path / "metrics.jsonl"
        self.curves = self.path / "curves.png"
        self.last = self.path / "last.safetensors"
        self.previous = self.path / "previous.safetensors"
        self.damaged = self.path / "damaged.safetensors"
        self.best = self.path / "best.safetensors"
        self.result = self.path / "result.json"

    def __str__(self) -> str:
        return str(self.path)

    def create(self, settings: Settings, data_sha256: str, threads: int, ranks: int = 1) -> None:
        """Make the folder and write config.json. RunError: there is something in the folder already."""
        self.refuse_unless_free()
        self.path.mkdir(parents=True, exist_ok=True)
        from tinyres import __version__

        config = {
            "format_version": FORMAT_VERSION,
            "settings": asdict(settings),
            "data_sha256": data_sha256,
            "threads": threads,
            "ranks": ranks,
            "versions": {"tinyres": __version__, "numpy": np.__version__, "python": platform.python_version()},
        }
        write_json(self.config, config)

    def refuse_unless_free(self) -> None:
        """RunError: there is something in the folder."""
        if self.config.exists():
            raise RunError(f"{self}: holds a run already; go on with it by --resume {self}, or choose another folder")
        if self.path.exists() and (not self.path.is_dir() or any(not _is_ours(path) for path in self.path.iterdir())):
            raise RunError(f"{self}: expected a new or an empty folder for the run; choose another one")

    def read_config(self) -> dict[str, Any]:
        """The content of config.json, with "settings" as Settings."""
        if not self.config.exists():
            raise RunError(f"{self}: not a run's folder: it has no config.json; name the folder that --out named")
        try:
            config = json.loads(self.config.read_text())
            if config["format_version"] != FORMAT_VERSION:
                found = config["format_version"]
                raise RunError(f"{self.config}: expected format version {FORMAT_VERSION}, got {found}")
            return {**config, "settings": Settings(**config["settings"]), "data_sha256": config["data_sha256"]}
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise RunError(f"{self.config}: damaged ({error}); put the original back, or start a new run") from error

    def read_metrics(self) -> list[Metrics]:
        """A dict for every epoch."""
        if not self.metrics.exists():
            return []
        try:
            lines = [json.loads(line) for line in self.metrics.read_text().splitlines()]
            for line in lines:
                _expect_numbers(line, METRICS)
            return lines
        except (ValueError, RecursionError) as error:
            raise RunError(f"{self.metrics}: damaged ({error}); remove the broken line") from error

    def add_metrics(self, metrics: Metrics) -> None:
        """Append an epoch's line."""
        append(self.metrics, (json.dumps(metrics) + "\n").encode())

    def keep_metrics(self, epochs: int) -> None:
        """Keep the lines of the first epochs. A run that was killed may have written one more line than it has saved.

        RunError: there are fewer lines.
        """
        lines = self.metrics.read_bytes().splitlines(keepends=True) if self.metrics.exists() else []
        if len(lines) < epochs:
            wrong = f"expected a line for each of {epochs} epochs, got {len(lines)}"
            raise RunError(f"{self.metrics}: {wrong}; put the original back, or start a new run")
        if len(lines) > epochs:
            write_atomically(self.metrics, b"".join(lines[:epochs]))

    def read_result(self) -> dict[str, Any] | None:
        """The content of result.json; None if the run is not finished."""
        try:
            if not self.result.exists():
                return None
            result = json.loads(self.result.read_text())
            _expect_numbers(result, RESULT_OF_SEEDS if isinstance(result, dict) and "seeds" in result else RESULT)
            return result
        except (ValueError, RecursionError) as error:
            raise RunError(f"{self.result}: damaged ({error}); delete it, and --resume writes it again") from error

    def write_result(self, result: dict[str, Any]) -> None:
        write_json(self.result, result)


def _expect_numbers(found: Any, names: tuple[str, ...]) -> None:
    """ValueError: one of these names is missing, or its value is not a number."""
    missing = [name for name in names if not isinstance(found, dict) or type(found.get(name)) not in (int, float)]
    if missing:
        raise ValueError(f"expected a number for {', '.join(missing)}")


def _is_ours(path: Path) -> bool:
    """Was this file left by a run that was killed before it had anything to keep?"""
    return path.name == LOCK or path.match(LEFTOVERS)
