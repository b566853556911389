"""What a run shows while it trains: a progress bar for the current epoch, and a line for every finished one."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from tinyres.train import Score

if TYPE_CHECKING:
    from rich.console import Console

HEAD = "          training           validation"
COLUMNS = "epoch     loss  accuracy     loss  accuracy     images/s      time"


class Progress:
    """`with Progress(console) as progress:` shows the bar on a terminal only; Console(quiet=True) shows nothing."""

    def __init__(self, console: Console | None = None):
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self.console = Console() if console is None else console
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
            transient=True,
            expand=True,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("", visible=False, figures="")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def say(self, text: str = "") -> None:
        """Print a line unchanged: rich neither colours nor wraps it."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def run_begins(self, epochs: int, steps: int) -> None:
        """epochs: of the whole run    steps: still to come"""
        self.epochs, self.steps_to_come = epochs, steps
        self.steps_done = 0
        self.began = perf_counter()
        self.say(HEAD)
        self.say(COLUMNS)
        self.bar.start()

    def epoch_begins(self, epoch: int, steps: int, done: int) -> None:
        """epoch: from 0    steps: in this epoch    done: how many of them are done"""
        name = f"epoch {epoch + 1}/{self.epochs}"
        self.bar.reset(self.task, total=steps, completed=done, description=name, figures="", visible=True)

    def batches_done(self, count: int, score: Score, seconds: float) -> None:
        """count: of the batches since the last call    score, seconds: of this epoch so far"""
        self.steps_done += count
        left = (perf_counter() - self.began) / self.steps_done * (self.steps_to_come - self.steps_done)
        speed = score.images / seconds
        figures = f"loss {score.loss:6.3f}  {score.accuracy:6.1%}  {speed:6,.0f} img/s  {clock(left)} left"
        self.bar.update(self.task, advance=count, figures=figures)

    def validating(self) -> None:
        self.bar.update(self.task, description="validating")

    def epoch_ends(self, metrics: dict[str, Any], is_best: bool) -> None:
        """A line of the table; * marks the best validation accuracy so far."""
        self.bar.update(self.task, visible=False)
        epoch = f"{metrics['epoch']}/{self.epochs}"
        train = f"{metrics['train_loss']:8.4f}  {metrics['train_accuracy']:8.2%}"
        validation = f"{metrics['validation_loss']:7.4f}  {metrics['validation_accuracy']:8.2%}"
        speed = f"{metrics['images_per_second']:10,.0f}  {clock(metrics['seconds']):>8}"
        self.say(f"{epoch:<6}{train}  {validation} {'*' if is_best else ' '} {speed}")


def clock(seconds: float) -> str:
    """65 → "1:05", 3605 → "1:00:05"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
