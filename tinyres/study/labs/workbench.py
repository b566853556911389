"""A lab's tools: its settings, its folder, its data, and its trained nets and results, each saved once it is done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tinyres import data
from tinyres.app.training import checkpoint
from tinyres.app.training.errors import RunError
from tinyres.app.training.files import write_json
from tinyres.app.training.progress import clock
from tinyres.data import Dataset
from tinyres.nn import Module
from tinyres.random import manual_seed
from tinyres.study.labs.fit import fit
from tinyres.study.labs.halved import halved

if TYPE_CHECKING:
    from rich.console import Console

Value = TypeVar("Value")
Net = TypeVar("Net", bound=Module)
Curve = list[dict[str, float]]  # what fit returns
Sizes = tuple[int | None, int | None]  # of the training set and the test set


@dataclass(frozen=True, kw_only=True)
class LabSettings:
    """full: the large run instead of the one that takes minutes
    data, data_dir: as for tinyres.data.load
    seeds: how often to repeat what depends on chance, with seed, seed + 1, …; None: the lab's own number
    epochs, images: how long to train, and on how many images; None: the lab's own numbers
    half: pictures of half the size; a training step takes a quarter of the time
    nets: the folder of trained nets, which several labs can share; None: the lab's own folder
    threads: None: one for every core
    """

    full: bool = False
    data: str = "shapes"
    data_dir: str | None = None
    seed: int = 0
    seeds: int | None = None
    epochs: int | None = None
    images: int | None = None
    half: bool = False
    nets: str | None = None
    threads: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Workbench:
    """folder: for the results, the picture and the parts; `open` makes it. console: shows the progress; may be None."""

    def __init__(self, name: str, settings: LabSettings, folder: Path, console: Console | None = None):
        self.name, self.settings, self.folder, self.console = name, settings, folder, console
        self.began = now()
        self.kept = np.zeros(2)  # the time that was spent on the parts and nets found on disk

    def open(self) -> None:
        """Make the folder, or continue in an old one. RunError: it belongs to something else."""
        path, ours = self.folder / "settings.json", {"lab": self.name, **self.settings.as_dict()}
        if path.exists():
            theirs = json.loads(path.read_text())
            how = dict.fromkeys(("threads", "data_dir", "nets"))  # settings that do not change the results
            if {**theirs, **how} != {**ours, **how}:
                raise RunError(f"{self.folder}: holds a lab with other settings; choose another --out, or delete it")
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise RunError(f"{self.folder}: is not empty and holds no lab; choose another --out")
        (self.folder / "parts").mkdir(parents=True, exist_ok=True)
        write_json(path, ours)

    def spent(self) -> np.ndarray:
        """[seconds, seconds of processor time] that the lab has taken, earlier runs included."""
        return now() - self.began + self.kept

    def choose(self, small: Value, full: Value) -> Value:
        """The value for the default run, or with --full that for the full run."""
        return full if self.settings.full else small

    def seeds(self, small: int, full: int) -> range:
        """The seeds of the repetitions; --seeds sets another number."""
        first, count = self.settings.seed, self.settings.seeds or self.choose(small, full)
        return range(first, first + count)

    def epochs(self, small: int, full: int) -> int:
        """The epochs to train; --epochs sets another number."""
        return self.settings.epochs or self.choose(small, full)

    def part(self, name: str, compute: Callable[[], Value]) -> Value:
        """compute(), seeded by settings.seed; or its value from an earlier run in this folder.

        The value must be JSON: numbers, strings, lists, and dicts whose keys are strings.
        """
        path = self.folder / "parts" / f"{name.replace(' ', '-').replace('/', '-')}.json"
        if path.exists():
            kept = json.loads(path.read_text())
            self.kept += kept["spent"]
            self.say(f"{name}: from an earlier run")
            return kept["value"]
        before = self.spent()
        manual_seed(self.settings.seed)
        value = compute()
        spent = self.spent() - before
        write_json(path, {"value": value, "spent": spent.tolist()})
        self.say(f"{name}: {clock(spent[0])}  ({clock(self.spent()[0])} since the start)")
        return json.loads(path.read_text())["value"]  # the same value as in the next run

    def each_seed(self, name: str, seeds: range, compute: Callable[[int], Value]) -> list[Value]:
        """[compute(seed) for every seed], each a part of its own."""
        return [self.part(f"{name} seed {seed}", partial(compute, seed)) for seed in seeds]

    def trained(
        self, name: str, make: Callable[[int], Net], sets: tuple[Dataset, Dataset], *, seed: int, **how: Any
    ) -> tuple[Net, Curve]:
        """make(seed) after fit(…, seed=seed, **how), and its curve; or the same net and curve from an earlier run.

        A net is the same if its name, seed, data and training settings are. The time of its training counts for every
        lab that uses it, whichever lab trained it.
        """
        net = make(seed)
        key = json.dumps([name, seed, *map(fingerprint, sets), how], sort_keys=True)
        place = Path(self.settings.nets) if self.settings.nets else self.folder / "nets"
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"{name.replace(' ', '-')}-{seed}-{hashlib.sha256(key.encode()).hexdigest()[:8]}.safetensors"
        if path.exists():
            kept = checkpoint.load(path)
            net.load_state_dict(kept.weights)
            self.kept += kept.about["spent"]
            return net, kept.about["curve"]
        before = self.spent()
        curve = fit(net, *sets, seed=seed, **how)
        about = {"curve": curve, "spent": (self.spent() - before).tolist()}
        checkpoint.save(checkpoint.Checkpoint(weights=net.state_dict(), about=about), path)
        return net, curve

    def load(self, small: Sizes, full: Sizes = (None, None), half: bool | None = None) -> tuple[Dataset, Dataset]:
        """(training set, test set): the first pictures of each.

        small, full: how many pictures of the two sets the default run and the full run take; None: all.
                     --images sets another number for the training set.
        half: pictures of half the size; None: in the default run only. --half halves them in any case.
        """
        first, second = data.load(self.settings.data, self.settings.data_dir, quiet=self.console is None)
        train, test = self.choose(small, full)
        sets = first.take(slice(self.settings.images or train)), second.take(slice(test))
        if half is None:
            half = not self.settings.full
        return (halved(sets[0]), halved(sets[1])) if half or self.settings.half else sets

    def say(self, text: str) -> None:
        if self.console is not None:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def now() -> np.ndarray:
    return np.array([perf_counter(), process_time()])


def fingerprint(dataset: Dataset) -> str:
    """A hash of the pictures and labels."""
    content = hashlib.sha256(str(dataset.images.shape).encode())
    for array in (dataset.images, dataset.labels):
        content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()
