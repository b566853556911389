"""One run, from its settings to its figure on the test set.

A tenth of the training set is set aside for validation, and the best epoch is chosen by that. The test set is looked
at once, at the very end, with the weights of that epoch.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres import data, models
from tinyres.data import Dataset, Loader
from tinyres.threads import using_threads
from tinyres.training import checkpoint
from tinyres.training.checkpoint import Checkpoint
from tinyres.training.errors import RunError
from tinyres.training.evaluate import evaluate
from tinyres.training.interrupt import StopOnCtrlC
from tinyres.training.lock import locked
from tinyres.training.progress import Progress
from tinyres.training.run_folder import RunFolder
from tinyres.training.settings import Settings
from tinyres.training.trained import load_checkpoint
from tinyres.training.trainer import Trainer

if TYPE_CHECKING:
    from rich.console import Console

Result = dict[str, Any]


def train(settings: Settings, folder: RunFolder, console: Console | None = None) -> Result:
    """Train and test in a new folder; return what its result.json says.

    console: where the progress is shown; Console(quiet=True) shows none

    RunError: something lies in the folder, or training diverged. Interrupted: Ctrl-C; `resume` goes on.
    """
    folder.refuse_unless_free()
    with using_threads(settings.threads) as threads:
        progress = Progress(console)
        train_set, test_set = data.load(settings.data, settings.data_dir, quiet=progress.console.quiet)
        trainer = _trainer(settings, train_set, folder, progress)
        folder.path.mkdir(parents=True, exist_ok=True)
        with locked(folder.path):
            folder.create(settings, train_set.sha256(), threads)
            return _complete(trainer, test_set)


def resume(settings: Settings, folder: RunFolder, console: Console | None = None) -> Result:
    """Go on with the run in this folder, whose settings these are, just as if it had never stopped.

    RunError: the folder is damaged, another process is at work there, or the data are not those it began with.
    """
    finished = folder.read_result()
    if finished is not None:
        return finished
    with locked(folder.path), using_threads(settings.threads):
        progress = Progress(console)
        train_set, test_set = data.load(settings.data, settings.data_dir, quiet=progress.console.quiet)
        if train_set.sha256() != folder.read_config()["data_sha256"]:
            raise RunError(
                f"{folder}: the {settings.data} images are not those it began with; find them, or start anew"
            )
        trainer = _trainer(settings, train_set, folder, progress)
        trainer.restore_newest()
        return _complete(trainer, test_set)


def evaluate_run(folder: RunFolder, settings: Settings, which: str = "best") -> Result:
    """The test set's figures, all of its images, for the run's "best" or "last" checkpoint."""
    path, saved = load_checkpoint(folder, which)
    with using_threads(settings.threads):
        _, test_set = data.load(settings.data, settings.data_dir)
        if list(test_set.classes) != saved.about.get("classes"):
            raise RunError(f"{path}: was trained on other classes than those of {settings.data}")
        score = _test(saved, path, settings, test_set, limit=None)
    return {"checkpoint": path.name, "epoch": saved.about.get("epoch"), **score}


def default_folder(settings: Settings) -> RunFolder:
    """runs/<data>-<model>-<date>-<time>"""
    kind, _, path = settings.data.partition(":")
    name = Path(path).name or kind
    return RunFolder(Path("runs", f"{name}-{settings.model}-{datetime.now():%Y%m%d-%H%M%S}"))


def _trainer(settings: Settings, train_set: Dataset, folder: RunFolder, progress: Progress) -> Trainer:
    if len(train_set) < 2:
        raise RunError(f"{settings.data}: expected at least 2 training images, one of them for validation, got 1")
    learn, validation = data.split(train_set, max(1, len(train_set) // 10), settings.seed)
    return Trainer(settings, learn, validation, folder, progress)


def _complete(trainer: Trainer, test_set: Dataset) -> Result:
    """Train to the end, then test the best epoch's weights."""
    settings, folder = trainer.settings, trainer.folder
    with StopOnCtrlC() as trainer.should_stop, trainer.progress:
        trainer.fit()
    _, best = load_checkpoint(folder)
    metrics = folder.read_metrics()
    epoch = best.about.get("epoch")
    if type(epoch) is not int or not 1 <= epoch <= len(metrics):
        raise RunError(f"{folder.best}: expected the weights of one of {len(metrics)} epochs, got {epoch}")
    chosen = metrics[epoch - 1]
    result = {
        "checkpoint": folder.best.name,
        "epoch": epoch,
        "epochs": len(metrics),
        "validation_accuracy": chosen["validation_accuracy"],
        **_test(best, folder.best, settings, test_set, settings.limit_batches),
        "seconds": sum(line["seconds"] for line in metrics),
    }
    folder.write_result(result)
    return result


def _test(saved: Checkpoint, path: Path, settings: Settings, test_set: Dataset, limit: int | None) -> Result:
    """The checkpoint's network, built anew, on the test set."""
    model = models.build(settings.model, len(test_set.classes), settings.shortcut)
    model.to(settings.device, settings.precision)
    checkpoint.load_weights(model, saved, path, settings.model)
    try:
        mean, std = (np.array(saved.about[name], np.float64) for name in ("mean", "std"))
        batches = Loader(test_set, settings.batch_size, mean=mean, std=std, dtype=settings.precision, limit=limit)
    except checkpoint.UNREADABLE as error:
        raise RunError(f"{path}: does not say how its images are normalised ({error}); {checkpoint.CURE}") from error
    score = evaluate(model, batches.epoch(0), settings.device)
    return {"test_accuracy": score.accuracy, "test_loss": score.loss, "test_images": score.images}
