"""A run's loop over its epochs, around the learning in tinyres/train.py.

Learning itself is one line here: `next(learning)`. Around it the trainer stops when asked to, saves now and then,
shows progress, explains a divergence, validates after every epoch and keeps the best weights.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from tinyres.app.training import checkpoint
from tinyres.app.training.batches import Batches, RunLoader
from tinyres.app.training.divergence import diverged
from tinyres.app.training.errors import Interrupted, NotPrepared, RunError
from tinyres.app.training.event_file import EventFile
from tinyres.app.training.progress import Progress
from tinyres.app.training.run_folder import Metrics, RunFolder
from tinyres.app.training.settings import Settings
from tinyres.app.training.state import Position, State
from tinyres.autograd import Tensor
from tinyres.data import Dataset, channel_statistics
from tinyres.look.compiling import must_compile
from tinyres.look.viz.curves import draw_curves
from tinyres.nn import functional as F
from tinyres.random import set_step
from tinyres.scale.parallel import ALONE, Communicator
from tinyres.scale.team import Team, any_rank, at_least_one, evaluate_together, expect_equal_weights, nonempty
from tinyres.train import NotFinite, Score, evaluate, is_finite, train_epoch

if TYPE_CHECKING:
    from tinyres.scale.captured import CapturedSteps

SAVE_EVERY = 600  # seconds; an epoch may take hours, and no more than this of it can be lost
DRAW_EVERY = 30  # seconds; to draw the curves takes half a second, and an epoch on a large GPU no longer


class Trainer:
    """Trains a network and writes its folder. With several ranks each has a trainer, and only the first one writes.

    train, validation: the images to learn from, and those to choose the best epoch by
    folder:            an existing one; `fit` goes on from what `state.restore_newest` has read there
    should_stop:       asked before every batch; if it says True, everything is saved and Interrupted is raised
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
        self.settings, self.folder, self.progress, self.should_stop = settings, folder, progress, should_stop
        self.ranks, self.is_first = ranks, ranks.rank == 0
        mean, std = channel_statistics(train)
        self.train_batches = RunLoader(train, settings, mean, std, ranks, training=True)
        self.validation_batches = RunLoader(validation, settings, mean, std, ranks)
        self.state = State(settings, self.train_batches)
        self.team = Team(ranks, self.state.model, settings.batch_norm) if ranks.size > 1 else None
        self.captured: CapturedSteps | None = None
        self.losses: deque[float] = deque(maxlen=5)  # of the last batches
        self.saved = self.drawn = perf_counter()

    def fit(self) -> None:
        """Train to the last epoch. Diverged: the loss or a gradient became NaN or infinite."""
        state = self.state
        state.take_from_first(self.ranks, self.folder.last)
        self.announce()
        self.captured = self.capture()
        wanted = self.settings.tensorboard and self.is_first
        events = EventFile(self.folder.path, self.folder.read_metrics()) if wanted else None
        with np.errstate(all="ignore"):  # Diverged says more than NumPy's warnings
            while state.position.epoch < state.epochs:
                try:
                    self.train_epoch()
                    validation = self.validate()
                except NotPrepared as error:
                    self.save_last()
                    raise RunError(
                        f"epoch {state.position.epoch + 1}, after {state.position.batch} of its batches: {error}"
                    ) from error
                metrics = self.finish_epoch(validation)
                if events:
                    events.add(metrics)

    def announce(self) -> None:
        """Say what is about to happen."""
        settings, state, say = self.settings, self.state, self.progress.say
        images, validation = len(self.train_batches.dataset), len(self.validation_batches.dataset)
        say(f"{settings.model} on {settings.data}: {images:,} images to learn from, {validation:,} for validation")
        say(
            f"epochs: {state.epochs}, each of {state.batches} batches of {settings.batch_size}; learning rate "
            f"{settings.lr:g} ({settings.schedule}), seed {settings.seed}"
        )
        if self.team:
            say(f"{self.ranks.size} ranks share every batch; batch norm: {settings.batch_norm}")
        say(f"the run's folder is {self.folder}")
        if settings.device == "cpu" and must_compile():
            say("the first step compiles the kernels for this machine: half a minute, and not again")
        say()
        self.progress.run_begins(state.epochs, state.total_steps - state.step)

    def train_epoch(self) -> None:
        """Learn from the batches of this epoch that are still to come."""
        state, position = self.state, self.state.position
        self.progress.epoch_begins(position.epoch, state.steps_in_epoch, done=position.batch)
        learning = self.learn(position.epoch, position.batch, state.steps_in_epoch)
        while position.batch < state.steps_in_epoch:
            if self.must_stop():
                self.stop()
            started = perf_counter()
            try:
                scores = next(learning)
            except NotFinite as broken:
                state.schedule.goto(state.step)  # captured steps have set the rate of a later one
                raise diverged(state, broken.loss, self.losses, self.repeat_step) from None
            position.seconds += perf_counter() - started
            for score in scores:
                position.batch += 1
                position.score += score
                self.losses.append(score.loss)
            self.progress.batches_done(len(scores), position.score, position.seconds)
            if perf_counter() - self.saved >= SAVE_EVERY:
                self.save_last()

    def learn(self, epoch: int, start: int, stop: int) -> Iterator[list[Score]]:
        """Learn from the batches start, …, stop − 1: by captured steps, by those of a rank, or by ordinary ones.

        Yields the scores as they become known: those of several captured steps at a time, or that of one batch.
        """
        state, smoothing = self.state, self.settings.label_smoothing
        parts = state.optimizer, state.schedule, self.train_batches, epoch, start, smoothing
        if self.captured:
            return self.captured.train_epoch(state.schedule, epoch, start, stop)
        if self.team:
            return ([score] for score in self.team.train_epoch(*parts, self.should_stop))
        return ([score] for score in train_epoch(state.model, *parts))

    def capture(self) -> CapturedSteps | None:
        """On one GPU, the steps as one launch each; None, with a word to the user, if they cannot be recorded."""
        state = self.state
        if self.settings.device == "cpu" or self.team or state.position.epoch == state.epochs:
            return None
        from tinyres.scale.captured import CapturedSteps  # not above: it loads all kernels for the GPU
        from tinyres.scale.recordable import NotRecordable

        try:
            return CapturedSteps(state.model, state.optimizer, self.train_batches, self.settings.label_smoothing)
        except NotRecordable as why:
            self.progress.say(f"each step is launched kernel by kernel, for a CUDA graph cannot repeat {why}")
            return None

    def validate(self) -> Score:
        self.progress.validating()
        model, batches = self.state.model, self.validation_batches
        score = evaluate_together(model, self.until_stopped(batches.to_evaluate()), self.ranks)
        if not is_finite(model, score.loss):
            again = nonempty(batches.to_evaluate())
            raise diverged(self.state, score.loss, self.losses, lambda: evaluate(model, again))
        return score

    def repeat_step(self) -> None:
        """Forward and backward pass of the batch that comes next, without learning from it."""
        model, epoch, batch = self.state.model, self.state.position.epoch, self.state.position.batch
        x, y = at_least_one(next(self.train_batches.epoch(epoch, batch)))
        images, labels = Tensor(x).to(self.settings.device), Tensor(y).to(self.settings.device)
        set_step(epoch, batch, self.train_batches.rows(batch).start)
        F.cross_entropy(model(images), labels, label_smoothing=self.settings.label_smoothing).backward()

    def finish_epoch(self, validation: Score) -> Metrics:
        """Write the epoch's figures, keep the weights if they are the best so far, and go on to the next epoch."""
        state, position = self.state, self.state.position
        if self.team:
            expect_equal_weights(self.ranks, state.model)
        epoch, is_best = position.epoch + 1, validation.accuracy > position.best_accuracy
        metrics = {
            "epoch": epoch,
            "step": state.step,
            "lr": state.lr,
            "train_loss": position.score.loss,
            "train_accuracy": position.score.accuracy,
            "validation_loss": validation.loss,
            "validation_accuracy": validation.accuracy,
            "images_per_second": position.score.images / position.seconds,
            "seconds": position.seconds,
        }
        if self.is_first:
            self.folder.add_metrics(metrics)
            if epoch == state.epochs or perf_counter() - self.drawn >= DRAW_EVERY:
                draw_curves(self.folder.read_metrics(), self.folder.curves, self.settings.model, self.settings.data)
                self.drawn = perf_counter()
            if is_best:
                checkpoint.save(state.weights(), self.folder.best)
        best = (epoch, validation.accuracy) if is_best else (position.best_epoch, position.best_accuracy)
        state.position = Position(epoch, best_epoch=best[0], best_accuracy=best[1])
        self.save_last()
        self.progress.epoch_ends(metrics, is_best)
        return metrics

    # ---- stopping and saving -----------------------------------------------------------------------------------------

    def must_stop(self) -> bool:
        """Asked before a step. Ranks have agreed in the step before, so all of them stop at the same one."""
        return self.team.stopping if self.team else self.should_stop()

    def until_stopped(self, batches: Batches) -> Batches:
        """These batches, unless a rank is asked to stop: then everything is saved and Interrupted raised."""
        for batch in batches:
            if any_rank(self.ranks, self.should_stop()):
                self.stop()
            yield batch

    def stop(self) -> None:
        """Interrupted, after everything has been saved."""
        self.save_last()
        epoch, batch = self.state.position.epoch, self.state.position.batch
        raise Interrupted(
            f"stopped in epoch {epoch + 1} of {self.state.epochs}, after {batch} "
            f"of its {self.state.steps_in_epoch} batches"
        )

    def save_last(self) -> None:
        """Save the state. It is the same on all ranks, so the first one saves it for all."""
        if self.is_first:
            self.state.save(self.folder)
        self.saved = perf_counter()
