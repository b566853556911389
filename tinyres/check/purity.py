"""What must hold before a slope is worth measuring: the same result twice, and nothing spoilt on the way."""

from __future__ import annotations

import numpy as np

from tinyres.check.blame import GradientError, failed_backward, rounded_gradient
from tinyres.check.recording import Recorded, same
from tinyres.check.slopes import Array


def expect_pure_forward(recorded: Recorded, again: Recorded) -> None:
    """fn leaves its inputs alone, and twice the same inputs give the same y, to the last bit."""
    for run in (recorded, again):
        _expect_no_writes(run)
        for i, (leaf, before) in enumerate(zip(run.leaves, run.inputs, strict=True)):
            if not same(leaf.numpy(), before):
                raise GradientError(f"fn writes into input {i}; an op may change nothing but its own output", input=i)
    y = recorded.y.numpy()
    if not np.isfinite(y).all():
        raise ValueError("gradcheck: fn(*inputs) has values that are infinite or no numbers: there is no slope")
    if not same(y, again.y.numpy()):
        pairs = zip(recorded.calls, again.calls, strict=False)
        op = next((one.name for one, two in pairs if not same(one.y.numpy(), two.y.numpy())), "")
        first = f"the first to differ is the output of {op}" if op else "no op's output differs, so fn itself does"
        raise GradientError(
            f"fn gives another y when it is called again with the same inputs; {first}. "
            "If it draws random numbers, let it begin with the same seed in every call",
            op=op,
        )


def expect_pure_backward(recorded: Recorded, again: Recorded, gy: Array) -> None:
    """backward runs through, leaves gy and what was saved alone, and gives the same gradients again, to the last bit.

    Again over the same graph, where a backward that spoils what forward saved gives itself away; and over a new one.
    """
    first = _gradients(recorded, gy)
    answers = [(call, call.grads) for call in recorded.calls]
    for run in (recorded, again):
        other = _gradients(run, gy)
        if all(same(a, b) for a, b in zip(first, other, strict=True)):
            continue
        where = "over the same graph" if run is recorded else "over a new graph"
        for (call, grads), now in reversed(list(zip(answers, run.calls, strict=False))):  # as the sweep goes
            if not all(same(a, b) for a, b in zip(grads, now.grads, strict=True)):
                text = f"{call.name}.backward gives another gradient when it runs again {where}, to the same gy"
                raise GradientError(text, op=call.name)
        raise GradientError(f"backward gives other gradients when it runs again {where}, though each op does not")


def expect_full_precision(recorded: Recorded) -> None:
    """No op's gradient went through float32: its error, 6e-8, is below what a slope can be measured to.

    But it leaves a trace: every value is a float32 number, though gy is none.
    """
    swept = [call for call in recorded.calls if call.gy_before is not None]
    largest = max((abs(call.gy_before).max(initial=0) for call in swept), default=0)
    for call in swept:
        for k, gx in enumerate(call.grads):
            if gx is None or gx.dtype != np.float64 or _in_float32(call.gy_before):
                continue
            told = gx[abs(gx) > 1e-3 * largest]  # where large numbers cancel, few digits are left, and they fit
            if told.size and _in_float32(told):
                raise rounded_gradient(call, k)


def _in_float32(a: Array) -> bool:
    return bool((a == a.astype(np.float32)).all())


def _gradients(run: Recorded, gy: Array) -> tuple[Array, ...]:
    before = gy.copy()
    try:
        gradients = run.backward(gy)
    except Exception as error:
        _expect_no_writes(run)  # by the op before: what it spoilt is what failed
        raise failed_backward(run, error) from error
    _expect_no_writes(run)
    if not same(gy, before):
        raise GradientError("backward writes into the gradient that it was handed")
    return gradients


def _expect_no_writes(run: Recorded) -> None:
    for call, text in run.watch.writes:
        raise GradientError(f"{text}; an op may write into nothing but what it made itself", op=call.name)
