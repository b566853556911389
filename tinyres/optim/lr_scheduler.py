"""Learning-rate schedules, under torch's names and with torch's arithmetic."""

from collections.abc import Sequence
from math import cos, pi

from tinyres.optim.optimizer import Optimizer


class LRScheduler:
    """Base of the schedules, and itself the one that keeps the optimiser's learning rate as it is.

    lr(base, t) is what a learning rate of `base` has become after t calls of step(). It depends on t and on nothing
    else, so a resumed run only has to go to its place: `schedule.goto(t)`.
    """

    def __init__(self, optimizer: Optimizer):
        self.optimizer = optimizer
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self.goto(0)

    def lr(self, base: float, t: int) -> float:
        return base

    def goto(self, t: int) -> None:
        """Set the learning rates for step t."""
        self.t = t
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.lr(base, t)

    def step(self) -> None:
        """Go on to the next step; call it after optimizer.step()."""
        self.goto(self.t + 1)

    def get_last_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]


class StepLR(LRScheduler):
    """Times gamma after every step_size steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def lr(self, base: float, t: int) -> float:
        return base * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """Times gamma at every milestone; the ResNet paper divides by 10 at 32,000 and 48,000 iterations."""

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1):
        self.milestones, self.gamma = list(milestones), gamma
        super().__init__(optimizer)

    def lr(self, base: float, t: int) -> float:
        return base * self.gamma ** sum(t >= milestone for milestone in self.milestones)


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the full learning rate down to eta_min at t = T_max (Loshchilov & Hutter 2017, eq. 5).

    It stays there; torch's goes up again.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0):
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def lr(self, base: float, t: int) -> float:
        return _half_cosine(base, self.eta_min, min(t, self.T_max) / self.T_max)


class OneCycleLR(LRScheduler):
    """Up from max_lr/div_factor, and down to nearly nothing, both along a half cosine (Smith & Topin 2018).

    pct_start: the part of total_steps spent going up. The last step is at max_lr/div_factor/final_div_factor.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float,
        total_steps: int,
        *,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ):
        if total_steps < 1:
            raise ValueError(f"OneCycleLR: expected total_steps of 1 or more, got {total_steps}")
        self.total_steps, self.pct_start = total_steps, pct_start
        self.lowest, self.last = 1 / div_factor, 1 / div_factor / final_div_factor
        for group in optimizer.param_groups:
            group["lr"] = max_lr
        super().__init__(optimizer)

    def lr(self, base: float, t: int) -> float:
        peak = self.pct_start * self.total_steps - 1
        end = self.total_steps - 1
        if t <= peak:
            return _half_cosine(base * self.lowest, base, t / peak if peak > 0 else 1.0)
        return _half_cosine(base, base * self.last, min(1.0, (t - peak) / max(end - peak, 1e-9)))


class WarmUp(LRScheduler):
    """For the first steps `start` times the learning rate, then another schedule, its t counted from the very start.

    The ResNet paper trains ResNet-110 at 0.01 instead of 0.1 until the training error is below 80 %, about 400
    iterations: WarmUp(MultiStepLR(...), steps=400, start=0.1).
    """

    def __init__(self, schedule: LRScheduler, steps: int, start: float):
        self.schedule, self.steps, self.start = schedule, steps, start
        schedule.goto(0)
        self.optimizer, self.base_lrs = schedule.optimizer, schedule.base_lrs
        self.goto(0)

    def lr(self, base: float, t: int) -> float:
        return base * self.start if t < self.steps else self.schedule.lr(base, t)


def _half_cosine(start: float, end: float, part: float) -> float:
    """From start (part = 0) to end (part = 1)."""
    return end + (start - end) * (1 + cos(pi * part)) / 2
