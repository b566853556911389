"""One run, from its settings to its accuracy on the test set.

A tenth of the training images is set aside for validation, and chooses the best epoch. The test set is used once, at
the very end, with the weights of that epoch.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres import data, models
from tinyres.app.training import checkpoint
from tinyres.app.training.batches import RunLoader
from tinyres.app.training.checkpoint import Checkpoint
from tinyres.app.training.errors import RunError
from tinyres.app.training.interrupt import StopOnCtrlC
from tinyres.app.training.lock import locked
from tinyres.app.training.progress import Progress
from tinyres.app.training.run_folder import RunFolder
from tinyres.app.training.settings import Settings
from tinyres.app.training.trained import load_checkpoint
from tinyres.app.training.trainer import Trainer
from tinyres.data import Dataset
from tinyres.scale.parallel import ALONE, Communicator, from_first
from tinyres.scale.precision import using_products
from tinyres.scale.team import evaluate_together, expect_equal
from tinyres.threads import get_num_threads, using_threads

if TYPE_CHECKING:
    from rich.console import Console

Result = dict[str, Any]


def train(settings: Settings, folder: RunFolder, console: Console | None = None, ranks: Communicator = ALONE) -> Result:
    """Train and test in a new folder. Returns the content of its result.json.

    console: where the progress is shown; Console(quiet=True) shows none
    ranks:   all of them call this; only the first one shows, reads and writes anything

    RunError: the folder is not empty, or training diverged. Interrupted: Ctrl-C; `resume` goes on.
    """
    is_first = ranks.rank == 0
    if is_first:
        folder.refuse_unless_free()
    with using_threads(_threads(settings, ranks)) as threads, using_products(settings.products):
        progress = _progress(console, ranks)
        train_set, test_set, sha256 = _data(settings, progress, ranks)
        trainer = _trainer(settings, train_set, folder, progress, ranks)
        if is_first:
            folder.path.mkdir(parents=True, exist_ok=True)
        with _owning(folder, ranks):
            if is_first:
                folder.create(settings, sha256, threads, ranks.size)
            return _complete(trainer, test_set)


def resume(
    settings: Settings, folder: RunFolder, console: Console | None = None, ranks: Communicator = ALONE
) -> Result:
    """Go on with the run in this folder, as if it had never stopped. settings: those of the run

    ranks: as above. With another number of ranks than before, sums are made in another order; nothing else changes.

    RunError: the folder is damaged, another process uses it, or the data differ from those the run began with.
    """
    is_first = ranks.rank == 0
    finished = from_first(folder.read_result() if is_first else None, ranks)
    if finished is not None:
        return finished
    with _owning(folder, ranks), using_threads(_threads(settings, ranks)), using_products(settings.products):
        progress = _progress(console, ranks)
        train_set, test_set, sha256 = _data(settings, progress, ranks)
        if is_first and sha256 != folder.read_config()["data_sha256"]:
            raise RunError(
                f"{folder}: the {settings.data} images are not those it began with; find them, or start a new run"
            )
        trainer = _trainer(settings, train_set, folder, progress, ranks)
        if is_first:
            trainer.state.restore_newest(folder, progress.say)
        return _complete(trainer, test_set)


def evaluate_run(folder: RunFolder, settings: Settings, which: str = "best") -> Result:
    """The accuracy and the loss of the run's "best" or "last" checkpoint on the whole test set."""
    path, saved = load_checkpoint(folder, which)
    with using_threads(settings.threads), using_products(settings.products):
        _, test_set = data.load(settings.data, settings.data_dir)
        if list(test_set.classes) != saved.about.get("classes"):
            raise RunError(f"{path}: was trained on other classes than those of {settings.data}")
        score = _test(saved, path, replace(settings, limit_batches=None), test_set, ALONE)
    return {"checkpoint": path.name, "epoch": saved.about.get("epoch"), **score}


def default_folder(settings: Settings) -> RunFolder:
    """runs/<data>-<model>-<date>-<time>"""
    kind, _, path = settings.data.partition(":")
    name = Path(path).name or kind
    return RunFolder(Path("runs", f"{name}-{settings.model}-{datetime.now():%Y%m%d-%H%M%S}"))


def _threads(settings: Settings, ranks: Communicator) -> int | None:
    """The number in the settings, or this rank's share of the cores, or fewer if the environment says so."""
    share = ranks.threads()
    return settings.threads if settings.threads or not share else min(share, get_num_threads())


def _progress(console: Console | None, ranks: Communicator) -> Progress:
    from rich.console import Console

    return Progress(console if ranks.rank == 0 else Console(quiet=True))


def _owning(folder: RunFolder, ranks: Communicator) -> AbstractContextManager[None]:
    return locked(folder.path) if ranks.rank == 0 else nullcontext()


def _data(settings: Settings, progress: Progress, ranks: Communicator) -> tuple[Dataset, Dataset, str]:
    """The training set, the test set, and the digest of the first. ParallelError: the ranks have different images."""
    quiet, at_once = progress.console.quiet, not data.may_download(settings.data, settings.data_dir)
    for turn in range(1 if at_once or ranks.size == 1 else 3):
        if at_once or ranks.turn == turn:
            train_set, test_set = data.load(settings.data, settings.data_dir, quiet=quiet)
        ranks.sum(np.zeros(1))  # all wait for the end of this turn
    sha256 = train_set.sha256()
    expect_equal(ranks, int(sha256[:12], 16), f"{settings.data}: this rank's images differ from those of the others")
    return train_set, test_set, sha256


def _trainer(
    settings: Settings, train_set: Dataset, folder: RunFolder, progress: Progress, ranks: Communicator
) -> Trainer:
    if len(train_set) < 2:
        raise RunError(f"{settings.data}: expected at least 2 training images, one of them for validation, got 1")
    learn, validation = data.split(train_set, max(1, len(train_set) // 10), settings.seed)
    return Trainer(settings, learn, validation, folder, progress, ranks=ranks)


def _complete(trainer: Trainer, test_set: Dataset) -> Result:
    """Train to the end, then test the weights of the best epoch."""
    settings, folder, ranks = trainer.settings, trainer.folder, trainer.ranks
    with StopOnCtrlC() as trainer.should_stop, trainer.progress:
        trainer.fit()
    content, figures = b"", None
    if ranks.rank == 0:
        (_, best), metrics = load_checkpoint(folder), folder.read_metrics()
        epoch = best.about.get("epoch")
        if type(epoch) is not int or not 1 <= epoch <= len(metrics):
            raise RunError(f"{folder.best}: expected the weights of one of {len(metrics)} epochs, got {epoch}")
        content = b"".join(checkpoint.encode(best))
        figures = {
            "checkpoint": folder.best.name,
            "epoch": epoch,
            "epochs": len(metrics),
            "validation_accuracy": metrics[epoch - 1]["validation_accuracy"],
            "seconds": sum(line["seconds"] for line in metrics),
        }
    best = checkpoint.decode(ranks.broadcast(content), folder.best)
    test = _test(best, folder.best, settings, test_set, ranks)
    result = {**from_first(figures, ranks), **test}
    if ranks.rank == 0:
        folder.write_result(result)
    return result


def _test(saved: Checkpoint, path: Path, settings: Settings, test_set: Dataset, ranks: Communicator) -> Result:
    """Build the checkpoint's network anew and test it. Each rank takes its rows of every batch."""
    model = models.build(settings.model, len(test_set.classes), settings.shortcut)
    model.to(settings.device, settings.dtype)
    checkpoint.load_weights(model, saved, path, settings.model)
    try:
        mean, std = (np.array(saved.about[name], np.float64) for name in ("mean", "std"))
        batches = RunLoader(test_set, settings, mean, std, ranks)
    except checkpoint.UNREADABLE as error:
        raise RunError(f"{path}: does not say how its images are normalised ({error}); {checkpoint.CURE}") from error
    score = evaluate_together(model, batches.to_evaluate(), ranks)
    return {"test_accuracy": score.accuracy, "test_loss": score.loss, "test_images": score.images}
