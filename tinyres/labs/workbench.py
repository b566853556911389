"""What a lab works with: its settings, its folder, its data, and its parts, each kept as soon as it is done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from tinyres import data
from tinyres.data import Dataset
from tinyres.random import manual_seed
from tinyres.training.errors import RunError
from tinyres.training.files import write_json
from tinyres.training.progress import clock

if TYPE_CHECKING:
    from rich.console import Console

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class LabSettings:
    """full: the large run instead of the one of a few minutes.    data, data_dir: as for tinyres.data.load
    seeds: how many times what depends on chance is repeated, with seed, seed + 1, …; None: as the lab has it
    epochs, images: train for so long, and on so many images, instead of the lab's own numbers
    threads: None: every core"""

    full: bool = False
    data: str = "shapes"
    data_dir: str | None = None
    seed: int = 0
    seeds: int | None = None
    epochs: int | None = None
    images: int | None = None
    threads: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Workbench:
    """folder: where results, picture and parts go; made by `open`.    console: where progress is shown, if anywhere"""

    def __init__(self, name: str, settings: LabSettings, folder: Path, console: Console | None = None):
        self.name, self.settings, self.folder, self.console = name, settings, folder, console
        self.seconds_before = 0.0  # what the parts that were there already had taken
        self.began = perf_counter()

    def open(self) -> None:
        """Make the folder, or take up an old one. RunError: it belongs to something else."""
        path, ours = self.folder / "settings.json", {"lab": self.name, **self.settings.as_dict()}
        if path.exists():
            theirs = json.loads(path.read_text())
            if {**theirs, "threads": None, "data_dir": None} != {**ours, "threads": None, "data_dir": None}:
                raise RunError(f"{self.folder}: holds a lab with other settings; choose another --out, or delete it")
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise RunError(f"{self.folder}: is not empty, and no lab's folder; choose another --out")
        (self.folder / "parts").mkdir(parents=True, exist_ok=True)
        write_json(path, ours)

    def choose(self, small: Value, full: Value) -> Value:
        """The one or the other, as the settings say."""
        return full if self.settings.full else small

    def seeds(self, small: int, full: int) -> range:
        """The seeds to repeat with: so many, unless --seeds says otherwise."""
        first, count = self.settings.seed, self.settings.seeds or self.choose(small, full)
        return range(first, first + count)

    def epochs(self, small: int, full: int) -> int:
        return self.settings.epochs or self.choose(small, full)

    def part(self, name: str, compute: Callable[[], Value]) -> Value:
        """compute(), seeded by settings.seed, or what it returned when this folder's lab ran before.

        What it returns must be JSON: numbers, texts, lists and dicts with texts for keys.
        """
        path = self.folder / "parts" / f"{name.replace(' ', '-').replace('/', '-')}.json"
        if path.exists():
            kept = json.loads(path.read_text())
            self.seconds_before += kept["seconds"]
            self.say(f"{name}: kept from before")
            return kept["value"]
        started = perf_counter()
        manual_seed(self.settings.seed)
        value = compute()
        seconds = perf_counter() - started
        write_json(path, {"value": value, "seconds": seconds})
        self.say(f"{name}: {clock(seconds)}  ({clock(perf_counter() - self.began)} since the start)")
        return json.loads(path.read_text())["value"]  # as the next run will have it

    def load(self, train: int | None = None, test: int | None = None) -> tuple[Dataset, Dataset]:
        """(training set, test set), of each at most so many of the first pictures; --images goes before `train`."""
        sets = data.load(self.settings.data, self.settings.data_dir, quiet=self.console is None)
        return sets[0].take(slice(self.settings.images or train)), sets[1].take(slice(test))

    def say(self, text: str) -> None:
        if self.console is not None:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)
