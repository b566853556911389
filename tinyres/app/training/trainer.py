"""Training: the loop, and what it keeps so that it can go on after a stop."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from tinyres import models, random
from tinyres.app.training import checkpoint, divergence
from tinyres.app.training.checkpoint import Checkpoint
from tinyres.app.training.errors import Damaged, Diverged, Interrupted, RunError
from tinyres.app.training.evaluate import Batches, Score, evaluate
from tinyres.app.training.event_file import EventFile
from tinyres.app.training.progress import Progress
from tinyres.app.training.run_folder import Metrics, RunFolder
from tinyres.app.training.settings import RECIPES, Settings
from tinyres.app.training.step import backpropagate
from tinyres.autograd import Tensor
from tinyres.data import Dataset, channel_statistics
from tinyres.device import must_compile, to_device
from tinyres.look.viz.curves import draw_curves
from tinyres.scale.captured import CapturedSteps, NotRecordable
from tinyres.scale.parallel import ALONE, Communicator, RankLoader
from tinyres.scale.parallel.rows import Rows
from tinyres.scale.team import Team, total

SAVE_EVERY = 600  # seconds; an epoch may take hours, and so much of it at most is lost
REPORT_EVERY = 50  # steps that are one launch each; then the host waits for them, and reads what came of them


@dataclass
class Position:
    """How far training has come. With the weights and what the optimiser remembers, this is all there is to save:
    every random draw, and the learning rate, follow from it.

    epoch, batch:              the next batch to learn from; both count from 0
    score, seconds:            this epoch's so far, on the training images
    best_epoch, best_accuracy: on the validation images; this epoch counts from 1, and 0 is none yet
    """

    epoch: int = 0
    batch: int = 0
    score: Score = field(default_factory=Score)
    seconds: float = 0.0
    best_epoch: int = 0
    best_accuracy: float = -1.0


class Trainer:
    """Trains a model and writes its folder. On several ranks each has one, and the first alone writes.

    train, validation: what to learn from, and what to choose the best epoch by
    folder:            an existing one; `fit` goes on from what `restore` has read there
    should_stop:       asked before every batch; True saves everything and raises Interrupted
    """

    def __init__(
        self,
        settings: Settings,
        train: Dataset,
        validation: Dataset,
        folder: RunFolder,
        progress: Progress,
        should_stop: Callable[[], bool] = lambda: False,
        ranks: Communicator = ALONE,
    ):
        random.manual_seed(settings.seed)
        self.settings, self.folder, self.progress, self.should_stop = settings, folder, progress, should_stop
        self.ranks = ranks
        self.classes, self.image_shape = train.classes, train.images.shape[1:]
        self.mean, self.std = channel_statistics(train)
        self.train_loader = self.loader(train, shuffle=True, augment=True)
        self.validation_loader = self.loader(validation)
        self.model = models.build(settings.model, len(train.classes), settings.shortcut)
        self.model.to(settings.device, settings.dtype)
        self.team = Team(ranks, self.model, settings.batch_norm)
        self.stopping = False  # has any rank been asked to, by the end of the last step?
        self.total_steps = settings.total_steps(len(self.train_loader))
        self.epochs = math.ceil(self.total_steps / len(self.train_loader))
        self.optimizer = settings.make_optimizer(self.model)
        self.schedule = settings.make_schedule(self.optimizer, self.total_steps)
        self.position = Position()
        self.captured: CapturedSteps | None = None
        self.losses: deque[float] = deque(maxlen=5)  # of the last batches that were learnt from
        self.saved = perf_counter()

    def loader(self, dataset: Dataset, *, shuffle: bool = False, augment: bool = False) -> RankLoader:
        """A loader of any data set, normalised as this network learnt it."""
        return RankLoader(
            dataset,
            self.settings.batch_size,
            seed=self.settings.seed,
            shuffle=shuffle,
            augment=augment,
            mean=self.mean,
            std=self.std,
            dtype=self.settings.dtype,
            limit=self.settings.limit_batches,
            rank=self.ranks.rank,
            size=self.ranks.size,
        )

    # ---- the loop ----------------------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Train to the last epoch. Raises Diverged if the loss or a gradient becomes NaN or infinite."""
        self.stand_together()
        self.announce()
        self.captured = self.capture()
        wanted = self.settings.tensorboard and self.team.is_first
        events = EventFile(self.folder.path, self.folder.read_metrics()) if wanted else None
        with np.errstate(all="ignore"):  # Diverged says it better than NumPy's warnings
            while self.position.epoch < self.epochs:
                self.train_epoch()
                metrics = self.finish_epoch(self.validate())
                if events:
                    events.add(metrics)

    def announce(self) -> None:
        """Say what is about to happen."""
        settings, say = self.settings, self.progress.say
        images, validation = len(self.train_loader.dataset), len(self.validation_loader.dataset)
        say(f"{settings.model} on {settings.data}: {images:,} images to learn from, {validation:,} for validation")
        say(
            f"epochs: {self.epochs}, each of {len(self.train_loader)} batches of {settings.batch_size}; learning rate "
            f"{settings.lr:g} ({settings.schedule}), seed {settings.seed}"
        )
        if not self.team.is_alone:
            say(f"{self.ranks.size} ranks share every batch; batch norm: {settings.batch_norm}")
        say(f"the run's folder is {self.folder}")
        if self.settings.device == "cpu" and must_compile():
            say("the first step compiles the kernels for this machine: half a minute, and not again")
        say()
        self.progress.run_begins(self.epochs, self.total_steps - self.step)

    def train_epoch(self) -> None:
        """Learn from every batch of this epoch that is still to come."""
        self.progress.epoch_begins(self.position.epoch, self.steps_in_epoch(), done=self.position.batch)
        self.model.train()
        if self.captured is not None:
            return self.replay_epoch(self.captured)
        started = perf_counter()
        for x, y in self.batches_to_come():
            rows = self.train_loader.rows(self.position.batch)
            if not len(y):  # a black picture, which counts for nothing: the others' batch norms wait for its messages
                x, y = np.zeros((1, *x.shape[1:]), x.dtype), np.zeros(1, y.dtype)
            images, labels = Tensor(x).to(self.settings.device), Tensor(y).to(self.settings.device)
            self.schedule.goto(self.step)

            self.optimizer.zero_grad()
            with self.team.normalising(rows):
                own = self.backpropagate(images, labels, rows)
            score, self.stopping = self.team.sum_step(own, rows.share, self.should_stop)
            self.check(score.loss, again=partial(self.backpropagate, images, labels, rows))
            self.optimizer.step()

            self.position.batch += 1
            self.position.score.join(score)
            self.losses.append(score.loss)
            self.position.seconds += perf_counter() - started
            started = perf_counter()
            self.progress.batch_done(self.position.score, self.position.seconds)
            if perf_counter() - self.saved >= SAVE_EVERY:
                self.save_last()

    def capture(self) -> CapturedSteps | None:
        """On a GPU, the steps as one launch each; where that cannot be, it is said why. Ranks have messages between."""
        if self.settings.device == "cpu" or self.position.epoch == self.epochs or not self.team.is_alone:
            return None
        self.model.train()
        try:
            return CapturedSteps(self.model, self.optimizer, self.train_loader, self.settings.label_smoothing)
        except NotRecordable as why:
            self.progress.say(f"each step is launched kernel by kernel, for a CUDA graph cannot repeat {why}")
            return None

    def replay_epoch(self, captured: CapturedSteps) -> None:
        """As train_epoch, with captured steps. Of a loss or a gradient that is NaN the host hears a few steps late, but
        nothing was learnt from it: everything is as it was at that step."""
        position, steps = self.position, self.steps_in_epoch()
        captured.begin(position.epoch, position.batch, self.rates(steps))
        while position.batch < steps:
            if self.should_stop():
                self.stop()
            started = perf_counter()
            learnt = captured.run(min(REPORT_EVERY, steps - position.batch))
            position.seconds += perf_counter() - started
            for loss, correct, images in learnt:
                position.batch += 1
                position.score.count(loss, correct, images)
                self.losses.append(loss)
                self.progress.batch_done(position.score, position.seconds)
            if captured.broken_loss is not None:
                self.schedule.goto(self.step)
                x, y = next(self.train_loader.epoch(position.epoch, start=position.batch))
                rows = self.train_loader.rows(position.batch)
                batch = Tensor(x).to(self.settings.device), Tensor(y).to(self.settings.device)
                self.check(captured.broken_loss, again=partial(self.backpropagate, *batch, rows))
            if perf_counter() - self.saved >= SAVE_EVERY:
                self.save_last()

    def rates(self, steps: int) -> list[float]:
        """The learning rate of each step of this epoch; the schedule is left at the last."""
        before, rates = self.position.epoch * len(self.train_loader), []
        for step in range(steps):
            self.schedule.goto(before + step)
            rates.append(self.lr)
        return rates

    def backpropagate(self, images: Tensor, labels: Tensor, rows: Rows) -> Score:
        """Give every parameter its gradient: these rows' part of it. Returns their score."""
        random.set_step(self.position.epoch, self.position.batch, rows.start)
        loss, scores = backpropagate(self.model, images, labels, self.settings.label_smoothing, rows.share)
        score = Score()
        if rows.share > 0:
            score.add(loss, scores, labels)
        return score

    def batches_to_come(self) -> Batches:
        batches = self.train_loader.epoch(self.position.epoch, start=self.position.batch)
        return self.until_stopped(islice(batches, self.steps_in_epoch() - self.position.batch), self.must_stop)

    def must_stop(self) -> bool:
        """Before a step. Several ranks heard of it in the step before, so that all stop at the same one."""
        return self.should_stop() if self.team.is_alone else self.stopping

    def steps_in_epoch(self) -> int:
        """The loader's batches; fewer in the last epoch, where the settings count steps and not epochs."""
        before = self.position.epoch * len(self.train_loader)
        return min(len(self.train_loader), self.total_steps - before)

    @property
    def step(self) -> int:
        """Batches learnt from since the run began."""
        return min(self.total_steps, self.position.epoch * len(self.train_loader) + self.position.batch)

    def check(self, loss: float, again: Callable[[], object]) -> None:
        """Diverged: the loss or a gradient is NaN or Inf, so nothing can come of this any more.

        again: does once more what led there, to be watched
        """
        if not divergence.is_sound(self.model, loss):
            lower = min(self.settings.lr / 10, RECIPES[self.settings.recipe]["lr"])
            or_else = "; or with one that begins low and rises, --schedule onecycle"
            raise Diverged(
                f"training diverged: the loss is {loss:.4g} in epoch {self.position.epoch + 1}, after {self.step} "
                f"steps, at learning rate {self.lr:.3g}\n{divergence.findings(self.model, self.losses, again)}\n"
                f"What to try: start anew with a lower learning rate, such as --lr {lower:.1g}"
                f"{or_else if self.settings.schedule != 'onecycle' else ''}"
            )

    @property
    def lr(self) -> float:
        """The learning rate of the step that was made last."""
        return self.schedule.get_last_lr()[0]

    def validate(self) -> Score:
        self.progress.validating()
        batches = self.until_stopped(self.validation_loader.epoch(0), lambda: self.team.any(self.should_stop()))
        score = total(self.evaluate(batches), self.ranks)
        self.check(score.loss, lambda: self.evaluate(self.validation_loader.epoch(0)))
        return score

    def evaluate(self, batches: Batches) -> Score:
        return evaluate(self.model, batches, self.settings.device)

    def until_stopped(self, batches: Batches, must_stop: Callable[[], bool]) -> Batches:
        """These batches; when all must stop, none any more, but everything saved and Interrupted raised.

        RunError: a batch could not be prepared. What was learnt from those before is saved.
        """
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (Exception, SystemExit) as error:
                self.save_last()
                place = f"epoch {self.position.epoch + 1}, after {self.position.batch} of its batches"
                raise RunError(f"{place}: the next one could not be prepared ({error!r})") from error
            if must_stop():
                self.stop()
            yield batch

    def stop(self) -> None:
        """Interrupted, with everything saved."""
        self.save_last()
        raise Interrupted(
            f"stopped in epoch {self.position.epoch + 1} of {self.epochs}, after {self.position.batch} "
            f"of its {self.steps_in_epoch()} batches"
        )

    def finish_epoch(self, validation: Score) -> Metrics:
        """Write the epoch's figures, keep the weights if they are the best so far, and go on to the next epoch."""
        self.team.expect_equal_weights()
        position = self.position
        epoch = position.epoch + 1
        is_best = validation.accuracy > position.best_accuracy
        metrics = {
            "epoch": epoch,
            "step": self.step,
            "lr": self.lr,
            "train_loss": position.score.loss,
            "train_accuracy": position.score.accuracy,
            "validation_loss": validation.loss,
            "validation_accuracy": validation.accuracy,
            "images_per_second": position.score.images / position.seconds,
            "seconds": position.seconds,
        }
        if self.team.is_first:
            self.folder.add_metrics(metrics)
            draw_curves(self.folder.read_metrics(), self.folder.curves, self.settings.model, self.settings.data)
        best = (epoch, validation.accuracy) if is_best else (position.best_epoch, position.best_accuracy)
        if is_best and self.team.is_first:
            checkpoint.save(Checkpoint(self.model.state_dict(), about=self.about()), self.folder.best)
        self.position = Position(epoch, best_epoch=best[0], best_accuracy=best[1])
        self.save_last()
        self.progress.epoch_ends(metrics, is_best)
        return metrics

    # ---- saving and going on -----------------------------------------------------------------------------------------

    def about(self) -> dict[str, object]:
        """What a checkpoint says of its network, enough to build it and to feed it."""
        return {
            "model": self.settings.model,
            "shortcut": self.settings.shortcut,
            "num_classes": len(self.classes),
            "classes": self.classes,
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
            "image_shape": self.image_shape,
            "epoch": math.ceil(self.step / len(self.train_loader)),
            "step": self.step,
        }

    def state(self) -> Checkpoint:
        """All that it takes to go on from here as if nothing had happened."""
        remembered = {name: to_device(array, "cpu") for name, array in self.optimizer.state_dict().items()}
        return Checkpoint(self.model.state_dict(), remembered, {**self.about(), "position": asdict(self.position)})

    def save_last(self) -> None:
        """Save the state: a rank's is everybody's, so the first one's is enough."""
        if self.team.is_first:
            checkpoint.save(self.state(), self.folder.last, self.folder.previous)
        self.saved = perf_counter()

    def stand_together(self) -> None:
        """Every rank stands where the first one stands, who alone has read the folder."""
        if self.team.is_alone:
            return
        content = self.ranks.broadcast(b"".join(checkpoint.encode(self.state())) if self.team.is_first else b"")
        if not self.team.is_first:
            self.take(checkpoint.decode(content, self.folder.last), self.folder.last)

    def restore_newest(self) -> None:
        """Stand where the last `save_last` stood or, where its file is damaged, the one before; it is said if so.

        Where nothing was saved yet, at the beginning. RunError: there is no sound one.
        """
        last, previous = self.folder.last, self.folder.previous
        try:
            if last.exists():
                return self.restore(last)
        except Damaged as error:
            last.replace(self.folder.damaged)  # or the next save would put it in the place of the good one
            self.progress.say(f"{error}\nit is now called {self.folder.damaged.name}")
        try:
            if previous.exists():
                self.progress.say(f"going on from {previous}, the checkpoint before")
                return self.restore(previous)
        except Damaged as error:
            raise RunError(f"{error}; the one after it is damaged or missing too, so start a new run") from error
        if self.folder.damaged.exists():
            raise RunError(f"{last}: damaged, and there is none before; {checkpoint.CURE}")
        self.folder.keep_metrics(0)

    def restore(self, path: Path) -> None:
        """Stand where `save_last` stood."""
        self.take(checkpoint.load(path), path)
        self.folder.keep_metrics(self.position.epoch)

    def take(self, saved: Checkpoint, path: Path) -> None:
        """Make it one's own. RunError: it is not of this run."""
        checkpoint.load_weights(self.model, saved, path, self.settings.model)
        try:
            self.optimizer.load_state_dict(saved.optimizer)
            self.position = self.sound_position(saved.about["position"])
        except checkpoint.UNREADABLE as error:
            raise RunError(f"{path}: not of this run ({error}); put the run's own checkpoint back") from error
        self.schedule.goto(max(0, self.step - 1))

    def sound_position(self, said: dict[str, Any]) -> Position:
        """What a file says of its position. TypeError, ValueError: this run has no such place."""
        position = Position(**{**said, "score": Score(**said["score"])})
        counts = (position.epoch, position.batch, position.best_epoch, position.score.correct, position.score.images)
        figures = (position.seconds, position.best_accuracy, position.score.loss_sum)
        if not all(type(count) is int and count >= 0 for count in counts):
            raise ValueError(f"expected counts of 0 or more, got {counts}")
        if not all(type(figure) in (int, float) and math.isfinite(figure) for figure in figures):
            raise ValueError(f"expected finite numbers, got {figures}")
        if position.epoch > self.epochs or position.batch > len(self.train_loader):
            raise ValueError(f"epoch {position.epoch}, batch {position.batch}: beyond the end")
        return position
