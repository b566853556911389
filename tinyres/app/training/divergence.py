"""What can still be found out when training has come to NaN or Inf."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from tinyres.autograd import Array
from tinyres.look.anomaly import AnomalyError, detect_anomaly
from tinyres.nn import Module


def is_sound(model: Module, loss: float) -> bool:
    """Are the loss and all gradients finite? For ResNet-20 the look takes a thousandth of the step."""
    gradients = (parameter.grad for parameter in model.parameters() if parameter.grad is not None)
    return math.isfinite(loss) and all(np.isfinite(gradient).all() for gradient in gradients)


def findings(model: Module, losses: Iterable[float], again: Callable[[], object]) -> str:
    """Lines of text: the last losses, the largest weight and gradient, and the op where it began.

    losses: of the last batches for which all was well
    again: does once more what came to NaN or Inf, with the weights as they are
    """
    weights = {name: parameter.data for name, parameter in model.named_parameters()}
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    return "\n".join(
        [
            f"  losses before     {', '.join(f'{loss:.4g}' for loss in losses) or 'none'}",
            f"  largest weight    {largest(weights)}",
            f"  largest gradient  {largest(gradients)}",
            f"once more, op by op: {first_anomaly(again)}",
        ]
    )


def largest(arrays: dict[str, Array]) -> str:
    """Its size and whose it is; or whose are NaN or Inf."""
    sizes = {name: float(abs(array).max()) for name, array in arrays.items()}
    broken = [name for name, size in sizes.items() if not math.isfinite(size)]
    if broken:
        return f"NaN or Inf, in {len(broken)} of {len(sizes)} parameters; the first is {broken[0]}"
    name = max(sizes, key=lambda name: sizes[name], default=None)
    return "none" if name is None else f"{sizes[name]:.4g}, in {name}"


def first_anomaly(again: Callable[[], object]) -> str:
    """What detect_anomaly has to say of it."""
    try:
        with detect_anomaly():
            again()
    except AnomalyError as anomaly:
        return str(anomaly)
    return "all is finite this time"
