"""What a run must keep to go on after a stop: the weights, the optimiser's momenta, and how far training has come.

Nothing else is needed. Every random draw and every learning rate follow from the position and the settings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tinyres import models, random
from tinyres.app.training import checkpoint
from tinyres.app.training.checkpoint import Checkpoint
from tinyres.app.training.errors import Damaged, RunError
from tinyres.app.training.run_folder import RunFolder
from tinyres.app.training.settings import Settings
from tinyres.data import Loader
from tinyres.device import to_device
from tinyres.scale.parallel import Communicator
from tinyres.train import Score


@dataclass
class Position:
    """How far training has come.

    epoch, batch:              the next batch to learn from; both count from 0
    score, seconds:            of this epoch so far, on the training images
    best_epoch, best_accuracy: on the validation images; this epoch counts from 1, and 0 means none yet
    """

    epoch: int = 0
    batch: int = 0
    score: Score = field(default_factory=Score)
    seconds: float = 0.0
    best_epoch: int = 0
    best_accuracy: float = -1.0

    @staticmethod
    def read(saved: dict[str, Any], epochs: int, batches: int) -> Position:
        """What a checkpoint says. TypeError, ValueError: it is no position in a run of so many epochs and batches."""
        position = Position(**{**saved, "score": Score(**saved["score"])})
        counts = (position.epoch, position.batch, position.best_epoch, position.score.correct, position.score.images)
        figures = (position.seconds, position.best_accuracy, position.score.loss_sum)
        if not all(type(count) is int and count >= 0 for count in counts):
            raise ValueError(f"expected counts of 0 or more, got {counts}")
        if not all(type(figure) in (int, float) and math.isfinite(figure) for figure in figures):
            raise ValueError(f"expected finite numbers, got {figures}")
        if position.epoch > epochs or position.batch > batches:
            raise ValueError(f"epoch {position.epoch}, batch {position.batch}: beyond the end")
        return position


class State:
    """The network of a run, its optimiser and its learning-rate schedule, and the position.

    batches:     in an epoch
    total_steps: in the whole run, a step being one batch
    """

    def __init__(self, settings: Settings, batches: Loader):
        random.manual_seed(settings.seed)
        dataset = batches.dataset
        self.settings, self.batches = settings, len(batches)
        self.model = models.build(settings.model, len(dataset.classes), settings.shortcut)
        self.model.to(settings.device, settings.dtype)
        self.total_steps = settings.total_steps(self.batches)
        self.epochs = math.ceil(self.total_steps / self.batches)
        self.optimizer = settings.make_optimizer(self.model)
        self.schedule = settings.make_schedule(self.optimizer, self.total_steps)
        self.position = Position()
        self.network = {
            "model": settings.model,
            "shortcut": settings.shortcut,
            "num_classes": len(dataset.classes),
            "classes": dataset.classes,
            "mean": batches.mean.tolist(),
            "std": batches.std.tolist(),
            "image_shape": dataset.images.shape[1:],
        }

    @property
    def step(self) -> int:
        """The number of batches that the network has learnt from."""
        return min(self.total_steps, self.position.epoch * self.batches + self.position.batch)

    @property
    def steps_in_epoch(self) -> int:
        """The number of batches, or fewer in the last epoch if the settings count steps instead of epochs."""
        return min(self.batches, self.total_steps - self.position.epoch * self.batches)

    @property
    def lr(self) -> float:
        """The learning rate of the last step."""
        return self.schedule.get_last_lr()[0]

    # ---- saving ------------------------------------------------------------------------------------------------------

    def about(self) -> dict[str, object]:
        """What a checkpoint says of its network: enough to build it, and to normalise images for it."""
        return {**self.network, "epoch": math.ceil(self.step / self.batches), "step": self.step}

    def weights(self) -> Checkpoint:
        """The weights alone, to test or to use the network."""
        return Checkpoint(self.model.state_dict(), about=self.about())

    def everything(self) -> Checkpoint:
        """All that is needed to go on as if nothing had happened."""
        remembered = {name: to_device(array, "cpu") for name, array in self.optimizer.state_dict().items()}
        return Checkpoint(self.model.state_dict(), remembered, {**self.about(), "position": asdict(self.position)})

    def save(self, folder: RunFolder) -> None:
        checkpoint.save(self.everything(), folder.last, folder.previous)

    # ---- going on ----------------------------------------------------------------------------------------------------

    def restore_newest(self, folder: RunFolder, say: Callable[[str], None]) -> None:
        """Restore what was saved last or, if that file is damaged, what was saved before; `say` tells which.

        If nothing was saved yet, training starts at the beginning. RunError: every checkpoint there is damaged.
        """
        try:
            if folder.last.exists():
                return self.restore(folder, folder.last)
        except Damaged as error:
            folder.last.replace(folder.damaged)  # or the next save would replace the good one by it
            say(f"{error}\nit is now called {folder.damaged.name}")
        try:
            if folder.previous.exists():
                say(f"going on from {folder.previous}, the checkpoint before")
                return self.restore(folder, folder.previous)
        except Damaged as error:
            raise RunError(f"{error}; the one after it is damaged or missing too, so start a new run") from error
        if folder.damaged.exists():
            raise RunError(f"{folder.last}: damaged, and there is none before; {checkpoint.CURE}")
        folder.keep_metrics(0)

    def restore(self, folder: RunFolder, path: Path) -> None:
        """Restore this checkpoint, and drop the metrics of later epochs."""
        self.take(checkpoint.load(path), path)
        folder.keep_metrics(self.position.epoch)

    def take(self, saved: Checkpoint, path: Path) -> None:
        """Take over the content of a checkpoint. RunError: it belongs to another run."""
        checkpoint.load_weights(self.model, saved, path, self.settings.model)
        try:
            self.optimizer.load_state_dict(saved.optimizer)
            self.position = Position.read(saved.about["position"], self.epochs, self.batches)
        except checkpoint.UNREADABLE as error:
            raise RunError(f"{path}: not of this run ({error}); put the run's own checkpoint back") from error
        self.schedule.goto(max(0, self.step - 1))

    def take_from_first(self, ranks: Communicator, path: Path) -> None:
        """Give every rank the state of the first, which alone has read the folder. path: named in errors"""
        content = ranks.broadcast(b"".join(checkpoint.encode(self.everything())) if ranks.rank == 0 else b"")
        if ranks.rank > 0:
            self.take(checkpoint.decode(content, path), path)
