"""What can be found out after the loss or a gradient has become NaN or infinite."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from tinyres.app.training.errors import Diverged
from tinyres.app.training.settings import RECIPES
from tinyres.app.training.state import State
from tinyres.autograd import Array
from tinyres.look.anomaly import AnomalyError, detect_anomaly
from tinyres.nn import Module


def diverged(state: State, loss: float, losses: Iterable[float], repeat: Callable[[], object]) -> Diverged:
    """The error to raise, with all that can be found out.

    loss:   of the batch in which it happened
    losses: of the last batches before
    repeat: does again what led to NaN or Inf, with the weights as they are
    """
    settings = state.settings
    lower = min(settings.lr / 10, RECIPES[settings.recipe]["lr"])
    or_else = "" if settings.schedule == "onecycle" else ", or with one that begins low and rises: --schedule onecycle"
    return Diverged(
        f"training diverged: the loss is {loss:.4g} in epoch {state.position.epoch + 1}, after {state.step} "
        f"steps, at learning rate {state.lr:.3g}\n{findings(state.model, losses, repeat)}\n"
        f"What to try: start again with a lower learning rate, such as --lr {lower:.1g}{or_else}"
    )


def findings(model: Module, losses: Iterable[float], repeat: Callable[[], object]) -> str:
    """Lines of text: the last losses, the largest weight and gradient, and the op where it began."""
    weights = {name: parameter.data for name, parameter in model.named_parameters()}
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    return "\n".join(
        [
            f"  losses before     {', '.join(f'{loss:.4g}' for loss in losses) or 'none'}",
            f"  largest weight    {largest(weights)}",
            f"  largest gradient  {largest(gradients)}",
            f"once more, op by op: {first_anomaly(repeat)}",
        ]
    )


def largest(arrays: dict[str, Array]) -> str:
    """The largest absolute value and where it is; or where values are NaN or infinite."""
    sizes = {name: float(abs(array).max()) for name, array in arrays.items()}
    broken = [name for name, size in sizes.items() if not math.isfinite(size)]
    if broken:
        return f"NaN or Inf, in {len(broken)} of {len(sizes)} parameters; the first is {broken[0]}"
    name = max(sizes, key=lambda name: sizes[name], default=None)
    return "none" if name is None else f"{sizes[name]:.4g}, in {name}"


def first_anomaly(repeat: Callable[[], object]) -> str:
    """What detect_anomaly finds."""
    try:
        with detect_anomaly():
            repeat()
    except AnomalyError as anomaly:
        return str(anomaly)
    return "all is finite this time"
