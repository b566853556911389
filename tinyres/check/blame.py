"""A gradient is wrong: which op made it wrong, in which input, at which element, and perhaps why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinyres.check.recording import Call, Recorded
from tinyres.check.slopes import Array, Claim, Comparison, Ruler, central, change, compare, relative_error

FEW = 2000  # elements that are looked at one by one; of a larger input SAMPLE are drawn
SAMPLE = 200


class GradientError(AssertionError):
    """A backward pass that disagrees with its forward, or that cannot be trusted.

    op, name: the op at fault and what its forward calls the input whose gradient is wrong; "" if no op is.
    input: the number of fn's input where it was noticed; None if it was noticed before any slope was measured.
    index: the worst element of the op's input; analytic, numeric: its gradient as backward and as forward have it.
    diagnosis: what the mistake probably is, or None.
    """

    def __init__(
        self,
        message: str,
        op: str = "",
        name: str = "",
        input: int | None = None,
        index: tuple[int, ...] | None = None,
        analytic: float = float("nan"),
        numeric: float = float("nan"),
        diagnosis: str | None = None,
    ):
        super().__init__(message if diagnosis is None else f"{message}\n  diagnosis: {diagnosis}")
        self.op, self.name, self.input, self.index = op, name, input, index
        self.analytic, self.numeric, self.diagnosis = analytic, numeric, diagnosis


class Suspect(NamedTuple):
    """An op that is wrong by itself, in its k-th input."""

    call: Call
    k: int
    comparison: Comparison


@dataclass(frozen=True)
class Element:
    """One element of a gradient, and how many were looked at to find it the worst."""

    index: tuple[int, ...]
    analytic: float
    numeric: float
    looked_at: int


def wrong_gradient(
    recorded: Recorded,
    i: int,
    found: Comparison,
    said: str,
    rng: np.random.Generator,
    ruler: Ruler,
) -> GradientError:
    """The error to raise when fn's gradient for input i was `found` wrong; `said` describes how."""
    message = f"the gradient of input {i}, shape {recorded.inputs[i].shape}, is wrong: {said}"
    suspect = worst_suspect(recorded.calls, rng, ruler)
    if suspect is None:
        return _no_op_is_guilty(recorded, i, found, message, ruler)
    call, k, comparison = suspect
    claim = call.claim()
    element = worst_element(claim, k, comparison.gy, rng, ruler)
    size = claim.inputs[k].size
    count = f"{size} elements" if element.looked_at == size else f"{element.looked_at} elements drawn from {size}"
    message += (
        f"\n  guilty:    {call.name}, in the gradient of {call.input_name(k)}, shape {claim.inputs[k].shape}; "
        f"worst of {count} is {list(element.index)}: "
        f"backward gives {element.analytic:.9g}, forward {element.numeric:.9g}"
    )
    cause = diagnosis(call.name, claim.forward, call.backward, claim.inputs, k, None, names(call))
    return GradientError(
        message, call.name, call.input_name(k), i, element.index, element.analytic, element.numeric, cause
    )


def failed_backward(recorded: Recorded, error: Exception) -> GradientError:
    """The sweep ended in an exception: a gradient of the wrong shape, or a mistake in backward's own code."""
    call = recorded.watch.running
    problem = f"{type(error).__name__}: {error}"
    if call is None:
        return GradientError(f"backward failed: {problem}")
    k = _misshapen(call)
    cause = diagnosis(call.name, call.forward, call.backward, call.inputs, k, problem, names(call))
    return GradientError(
        f"the backward of {call.name} failed: {problem}", call.name, call.input_name(k), diagnosis=cause
    )


def rounded_gradient(call: Call, k: int) -> GradientError:
    """The op's gradient for its k-th input has the precision of float32, though all it was given is float64."""
    cause = diagnosis(call.name, call.forward, call.backward, call.inputs, k, None, names(call))
    message = f"the gradient that {call.name} returns for {call.input_name(k)} was rounded to float32 on the way"
    return GradientError(message, call.name, call.input_name(k), diagnosis=cause)


def diagnosis(*evidence: Any) -> str | None:
    """A sentence that names the mistake, or None. The fields of Evidence; loaded only now that something is wrong."""
    from tinyres.check import diagnosis

    return diagnosis.diagnose(diagnosis.Evidence(*evidence))


def names(call: Call) -> tuple[str, ...]:
    """What the op's forward calls its inputs."""
    return tuple(call.input_name(k) for k in range(len(call.inputs)))


def _misshapen(call: Call) -> int:
    """The first input whose gradient does not look like it; or the first that needs one, if backward itself fails."""
    needed = [k for k, need in enumerate(call.op.needs) if need]
    try:
        grads = call.backward(call.gy_before)
    except Exception:  # the one that is being reported
        return needed[0]
    shapes = [(getattr(gx, "shape", None), getattr(gx, "dtype", None)) for gx in grads]
    wrong = [k for k in needed if k >= len(shapes) or shapes[k] != (call.inputs[k].shape, call.inputs[k].dtype)]
    return wrong[0] if wrong else needed[0]


def worst_suspect(calls: Iterable[Call], rng: np.random.Generator, ruler: Ruler) -> Suspect | None:
    """The op that is most wrong, each checked by itself with a random gy and direction; None if all are right."""
    suspects = []
    for call in calls:
        claim = call.claim()
        for k, need in enumerate(call.op.needs):
            if not need or call.y.dtype != np.float64:
                continue
            gy, d = rng.standard_normal(call.y.shape), rng.standard_normal(claim.inputs[k].shape)
            suspects.append(Suspect(call, k, compare(claim, k, gy, d, ruler)))
    worst = max(suspects, key=lambda suspect: suspect.comparison.error, default=None)
    return worst if worst is not None and worst.comparison.error > ruler.tolerance else None


def worst_element(claim: Claim, k: int, gy: Array, rng: np.random.Generator, ruler: Ruler) -> Element:
    """The element of the k-th input whose gradient is most wrong: of all, or of a sample of a large input."""
    x = claim.inputs[k]
    places = np.arange(x.size) if x.size <= FEW else rng.choice(x.size, SAMPLE, replace=False)
    gx = np.asarray(claim.backward(gy)[k])
    elements = []
    for place in places:
        d = np.zeros(x.shape)
        d.flat[place] = 1
        index = tuple(int(n) for n in np.unravel_index(place, x.shape))
        numeric = float(np.vdot(gy, change(claim, k, d, ruler)))
        elements.append(Element(index, float(gx[index]), numeric, len(places)))
    return max(elements, key=lambda element: relative_error(element.analytic, element.numeric))


def _no_op_is_guilty(recorded: Recorded, i: int, found: Comparison, message: str, ruler: Ruler) -> GradientError:
    """Each op is right by itself. Replaying the ops, without what fn does between them, tells where to look."""
    replayed = float(np.vdot(found.gy, central(recorded.replay, recorded.inputs, i, found.d, ruler.step).real))
    numbers: dict[str, Any] = {"input": i, "analytic": found.analytic, "numeric": found.numeric}
    if relative_error(replayed, found.analytic, found.floor) <= ruler.tolerance:
        message += (
            "\n  guilty:    no op; each is right by itself, and so are they together. So fn takes a value past the "
            "graph, where backward cannot follow: .data, .numpy(), .item(), detach() or no_grad()"
        )
        return GradientError(message, **numbers)
    message += (
        "\n  guilty:    no op; each is right by itself. So their gradients are put together wrongly: where one tensor "
        "is used twice, its gradients must be added up; a hook may change them; or an op is wrong for this gy alone"
    )
    cause = diagnosis("", recorded.forward, recorded.backward, recorded.inputs, i)
    return GradientError(message, **numbers, diagnosis=cause)
