"""What a lab works with: its settings, folder and data, its nets and its parts, each kept as soon as it is done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True, kw_only=True)
class LabSettings:
    """full: the large run instead of the one of a few minutes.    data, data_dir: as for tinyres.data.load
    seeds: how many times what depends on chance is repeated, with seed, seed + 1, …; None: as the lab has it
    epochs, images: train for so long, and on so many images, instead of the lab's own numbers
    half: pictures at half their size; a training step takes a quarter of the time
    nets: where trained nets are kept, for labs that train the same ones to share; None: in the lab's own folder
    threads: None: every core"""

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
    """folder: where results, picture and parts go; made by `open`.    console: where progress is shown, if anywhere"""

    def __init__(self, name: str, settings: LabSettings, folder: Path, console: Console | None = None):
        self.name, self.settings, self.folder, self.console = name, settings, folder, console
        self.began = now()
        self.kept = np.zeros(2)  # what those parts and nets took that were there already

    def open(self) -> None:
        """Make the folder, or take up an old one. RunError: it belongs to something else."""
        path, ours = self.folder / "settings.json", {"lab": self.name, **self.settings.as_dict()}
        if path.exists():
            theirs = json.loads(path.read_text())
            how = dict.fromkeys(("threads", "data_dir", "nets"))  # and not what
            if {**theirs, **how} != {**ours, **how}:
                raise RunError(f"{self.folder}: holds a lab with other settings; choose another --out, or delete it")
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise RunError(f"{self.folder}: is not empty, and no lab's folder; choose another --out")
        (self.folder / "parts").mkdir(parents=True, exist_ok=True)
        write_json(path, ours)

    def spent(self) -> np.ndarray:
        """Seconds since the beginning, and seconds of processor time; with what had been computed before."""
        return now() - self.began + self.kept

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
            self.kept += kept["spent"]
            self.say(f"{name}: kept from before")
            return kept["value"]
        before = self.spent()
        manual_seed(self.settings.seed)
        value = compute()
        spent = self.spent() - before
        write_json(path, {"value": value, "spent": spent.tolist()})
        self.say(f"{name}: {clock(spent[0])}  ({clock(self.spent()[0])} since the start)")
        return json.loads(path.read_text())["value"]  # as the next run will have it

    def trained(
        self, name: str, make: Callable[[int], Net], sets: tuple[Dataset, Dataset], *, seed: int, **how: Any
    ) -> tuple[Net, Curve]:
        """make(seed) after fit(…, seed=seed, **how), and its curve; or what is kept of it from before.

        A net is known again by its name, its seed, its data and how it is trained. What training it took counts as
        time of the lab that uses it, whichever lab did it.
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

    def load(self, train: int | None = None, test: int | None = None, half: bool = False) -> tuple[Dataset, Dataset]:
        """(training set, test set), of each at most so many of the first pictures; --images goes before `train`.

        half: at half their size, as with --half.
        """
        first, second = data.load(self.settings.data, self.settings.data_dir, quiet=self.console is None)
        sets = first.take(slice(self.settings.images or train)), second.take(slice(test))
        return (halved(sets[0]), halved(sets[1])) if half or self.settings.half else sets

    def say(self, text: str) -> None:
        if self.console is not None:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def now() -> np.ndarray:
    return np.array([perf_counter(), process_time()])


def fingerprint(dataset: Dataset) -> str:
    """Of its pictures and labels."""
    content = hashlib.sha256(str(dataset.images.shape).encode())
    for array in (dataset.images, dataset.labels):
        content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()
