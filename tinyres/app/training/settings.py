"""The settings of a run. Its folder keeps them in config.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyres.nn import Module
from tinyres.optim import SGD, Optimizer
from tinyres.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, MultiStepLR, OneCycleLR, WarmUp

SCHEDULES = ("onecycle", "cosine", "step", "constant")
TENSOR_CORES = ("tf32", "bf16")  # float32, except for the products in convolutions on a GPU
PRECISIONS = ("float32", "float64", *TENSOR_CORES)
BATCH_NORMS = ("sync", "local")

# fast: few epochs, with a high learning rate that rises and falls once (Smith & Topin 2018).
# paper: as He et al. (2016) trained on CIFAR, section 4.2. 64,000 steps are 182 epochs of 45,000 images.
RECIPES: dict[str, dict[str, Any]] = {
    "fast": {
        "epochs": 10,
        "batch_size": 64,
        "lr": 0.1,
        "schedule": "onecycle",
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 5e-4,
    },
    "paper": {
        "steps": 64_000,
        "batch_size": 128,
        "lr": 0.1,
        "schedule": "step",
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 1e-4,
    },
}
PAPER_WARM_UP = ("resnet110", "resnet1202")  # "trained as described above", that is, as ResNet-110


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one run. `Settings.from_recipe` fills in those of a recipe.

    data, data_dir:  as for tinyres.data.load
    model, shortcut: as for tinyres.models.build
    epochs, steps:   how long to train; exactly one of the two is given, and a step is one batch
    lr:              the highest learning rate of the schedule
    schedule:        onecycle (up and down), cosine (down), step (÷ 10 after 1/2 and 3/4 of all steps) or constant
    warm_up:         the number of steps at the beginning that are made with a tenth of the learning rate
    limit_batches:   the most batches in an epoch, in the validation and in the test, for a quick look
    precision:       float32 or float64; on a GPU also tf32 or bf16: float32, but convolutions multiply in these
    batch_norm:      several ranks normalise with the statistics of the whole batch (sync) or of their own rows (local)
    threads:         how many threads compute; None: as tinyres.threads has it, every core by default
    tensorboard:     write every epoch's figures into an event file as well
    """

    recipe: str
    batch_size: int
    lr: float
    schedule: str
    momentum: float
    nesterov: bool
    weight_decay: float
    epochs: int | None = None
    steps: int | None = None
    warm_up: int = 0
    data: str = "shapes"
    data_dir: str | None = None
    model: str = "resnet8"
    shortcut: str | None = None
    label_smoothing: float = 0.0
    limit_batches: int | None = None
    seed: int = 0
    precision: str = "float32"
    batch_norm: str = "sync"
    device: str = "cpu"
    threads: int | None = None
    tensorboard: bool = False

    @property
    def dtype(self) -> str:
        """The dtype of all arrays: images, weights, gradients, statistics."""
        return "float32" if self.precision in TENSOR_CORES else self.precision

    @property
    def products(self) -> str:
        """The precision in which float32 arrays are multiplied."""
        return self.precision if self.precision in TENSOR_CORES else "float32"

    @staticmethod
    def from_recipe(recipe: str = "fast", **chosen: Any) -> Settings:
        """A recipe's settings with some of them changed, as in `Settings.from_recipe("paper", model="resnet56")`."""
        settings: dict[str, Any] = {**RECIPES[recipe], "recipe": recipe, **chosen}
        if "epochs" in chosen or "steps" in chosen:  # one replaces the other
            settings.update(epochs=chosen.get("epochs"), steps=chosen.get("steps"))
        if recipe == "paper" and settings.get("model") in PAPER_WARM_UP:
            settings["warm_up"] = 400
        return Settings(**settings)

    def __post_init__(self) -> None:
        _expect(self.schedule in SCHEDULES, "schedule", f"one of {', '.join(SCHEDULES)}", self.schedule)
        _expect(self.precision in PRECISIONS, "precision", f"one of {', '.join(PRECISIONS)}", self.precision)
        _expect(self.batch_norm in BATCH_NORMS, "batch_norm", f"one of {', '.join(BATCH_NORMS)}", self.batch_norm)
        on_cpu = "float32 or float64 on the cpu (tf32 and bf16 need the tensor cores of a GPU: --device cuda)"
        _expect(self.device != "cpu" or self.precision not in TENSOR_CORES, "precision", on_cpu, self.precision)
        if (self.epochs is None) == (self.steps is None):
            raise ValueError(f"expected either epochs or steps, got epochs={self.epochs} and steps={self.steps}")
        for name in ("epochs", "steps", "batch_size", "threads", "limit_batches"):
            value = getattr(self, name)
            _expect(value is None or value >= 1, name, "1 or more", value)
        _expect(0 < self.lr < float("inf"), "lr", "a number above 0", self.lr)
        _expect(self.seed >= 0, "seed", "0 or more", self.seed)
        _expect(0 <= self.momentum < 1, "momentum", "0 or more, and less than 1", self.momentum)
        _expect(self.weight_decay >= 0, "weight_decay", "0 or more", self.weight_decay)
        _expect(0 <= self.label_smoothing < 1, "label_smoothing", "0 or more, and less than 1", self.label_smoothing)

    def total_steps(self, batches: int) -> int:
        """The steps of the whole run. batches: in an epoch"""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None  # __post_init__ has checked it
        return self.epochs * batches

    def make_optimizer(self, model: Module) -> Optimizer:
        nesterov = self.nesterov and self.momentum > 0
        return SGD(
            model.parameters(),
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=nesterov,
        )

    def make_schedule(self, optimizer: Optimizer, total_steps: int) -> LRScheduler:
        schedule: LRScheduler
        if self.schedule == "onecycle":
            schedule = OneCycleLR(optimizer, self.lr, total_steps)
        elif self.schedule == "cosine":
            schedule = CosineAnnealingLR(optimizer, total_steps)
        elif self.schedule == "step":
            schedule = MultiStepLR(optimizer, [total_steps // 2, total_steps * 3 // 4])
        else:
            schedule = LRScheduler(optimizer)
        return WarmUp(schedule, self.warm_up, start=0.1) if self.warm_up else schedule


def _expect(fine: bool, name: str, expected: str, got: Any) -> None:
    if not fine:
        raise ValueError(f"{name.replace('_', '-')}: expected {expected}, got {got}")
