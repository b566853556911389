"""What goes wrong before any number is compared: how backward behaves when it is called."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tinyres.check.diagnosis.evidence import Evidence, same
from tinyres.check.diagnosis.shapes import wrong_shape

ERRORS = {  # what an exception says: what has usually happened
    r"matmul|not aligned|mismatch in its core dimension|size .* is different from": (
        "two matrices do not fit: usually a transpose (.T) is missing, or the factors are in the wrong order. Write "
        "down the shapes: the product must have the shape of the input"
    ),
    r"inhomogeneous": (
        "the pieces that are put together have different lengths: one of them ran over the border of its array"
    ),
    r"shapes (\((\d+),\) \(\d+,\2,|\(\d+,(\d+),\d+,\d+\) \(\3,\))": (
        "a vector is lined up with the last axis; one value for each channel must be [:, None, None]"
    ),
    r"could not be broadcast|shape mismatch|could not broadcast|incorrect axis|setting an array element": (
        "two arrays do not fit: usually an axis was summed away without keepdims=True, or gy was not brought back to "
        "the shape that is needed here"
    ),
    r"cannot reshape": "gy is reshaped to a shape with another number of elements; use the shape of the input",
    r"has no attribute|not enough values to unpack|too many values to unpack": (
        "backward reads what forward did not keep: compare what forward puts into self.saved with what backward takes"
    ),
    r"Cannot cast ufunc": (
        "fractions are added to an array of whole numbers (its dtype is int): make it with np.zeros(shape), or give it "
        "x's dtype"
    ),
    r"read-only": "backward writes into an array that is not its own (gy, or what was saved); make a copy first",
    r"axis .* out of bounds|AxisError": "a sum runs over an axis that the array does not have: check its shape",
    r"is not defined|referenced before|cannot access": "backward uses a name that was never given a value there",
    r"out of bounds": "an index runs over the border of the array: check the bounds of the loops and the padding",
    r"divi.*by zero|ZeroDivision": "backward divides by zero",
    r"NoneType": "backward computes with None: something that it needs was not saved, or was not returned",
}


def said(text: str) -> str | None:
    """What an exception's text says about the mistake."""
    meaning = next((meaning for pattern, meaning in ERRORS.items() if re.search(pattern, text)), None)
    return meaning and f"backward fails: {meaning}. (It said: {text})"


def complained(evidence: Evidence) -> str | None:
    """backward cannot be called, or its answer never arrives: all there is to read is a text."""
    try:
        answered(evidence, random_gy(evidence))
    except Exception as error:  # whatever a learner's backward raises is what we are here to explain
        text = f"{type(error).__name__}: {error}"
    else:
        return None
    for said_so in filter(None, (text, evidence.problem)):
        if found := re.search(r"returned (\w+) (\([\d, ]*\)) for input (\d+), which is (\w+) ", said_so):
            dtype, shape, index, expected_dtype = found.groups()
            came = tuple(int(n) for n in re.findall(r"\d+", shape))
            return (
                computed_in(dtype)
                if dtype != expected_dtype
                else wrong_shape(evidence._replace(index=int(index)), came)
            )
        if found := re.search(r"returned None for input (\d+)", said_so):
            return nothing(int(found[1]))
        if found := re.search(r"returned (\d+) gradients for (\d+) inputs", said_so):
            return count(int(found[1]), int(found[2]))
        if meaning := said(said_so):
            return meaning
    return None


def nothing(index: int) -> str:
    return f"backward returns None for input {index}: its gradient is missing. Return an array of the input's shape."


def count(came: int, expected: int) -> str:
    return (
        f"backward returns {came} gradients, but forward has {expected} inputs: return one gradient for each input, in "
        "the order of forward's parameters."
    )


def computed_in(dtype: str) -> str:
    return (
        f"The gradient was computed in {dtype}, though the input is float64. Somewhere backward makes an array of a "
        "fixed dtype (np.float32, astype, np.zeros without dtype=x.dtype, …); take it from the input instead."
    )


def random_gy(evidence: Evidence) -> np.ndarray:
    return np.asarray(np.random.default_rng([11, 0]).standard_normal(np.shape(evidence.forward(*evidence.inputs))))


def answered(evidence: Evidence, gy: np.ndarray) -> tuple[Any, ...]:
    returned = evidence.backward(gy)
    return tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)


def no_array(evidence: Evidence) -> str | None:
    """None, too few gradients, a wrong shape or dtype, NaN."""
    grads, x = answered(evidence, random_gy(evidence)), evidence.inputs[evidence.index]
    if len(grads) != len(evidence.inputs):
        return count(len(grads), len(evidence.inputs))
    if grads[evidence.index] is None:
        return nothing(evidence.index)
    gx = np.asarray(grads[evidence.index])
    if gx.shape != x.shape:
        return wrong_shape(evidence, gx.shape, lambda gy: np.asarray(answered(evidence, gy)[evidence.index]))
    if gx.dtype.kind == "f" and gx.dtype != x.dtype:
        return computed_in(str(gx.dtype))
    if gx.dtype.kind in "iub":
        return f"The gradient is {gx.dtype}: its values were cut to integers. Make its array with the input's dtype."
    return None if np.all(np.isfinite(gx)) else not_finite(x, gx)


def not_finite(x: np.ndarray, gx: np.ndarray) -> str:
    bad = ~np.isfinite(gx)
    where = "everywhere" if bad.all() else f"in {bad.sum()} of {bad.size} elements"
    for condition, holds in (("x = 0", x == 0), ("x < 0", x < 0), ("x > 0", x > 0)):
        if not bad.all() and np.array_equal(bad, holds):
            where = f"exactly where {condition}"
    return (
        f"The gradient is {'NaN' if np.isnan(gx).any() else 'infinite'} {where}: backward divides by zero there, takes "
        "the logarithm or root of a number that has none, overflows in exp, or reads an array made with np.empty that "
        "was never filled."
    )


def changing(evidence: Evidence) -> str | None:
    """A pass gives another answer the second time, or changes what is not its own."""
    once, again = (np.asarray(evidence.forward(*evidence.inputs)) for _ in range(2))
    if not np.array_equal(once, again, equal_nan=True):
        return (
            "Forward itself answers differently when it runs again on the same inputs (it draws new random numbers), "
            "so nothing can be compared with backward. Draw from tinyres.random, or keep the mask fixed in the check."
        )
    gy = random_gy(evidence)
    mine, before = gy.copy(), [np.array(a) for a in evidence.inputs]
    first, second, third = (np.array(answered(evidence, mine)[evidence.index]) for _ in range(3))
    if not np.array_equal(mine, gy):
        return (
            "backward writes into gy (an in-place operation such as gy *= …, or gy[mask] = 0). gy may belong to others "
            "too, as after an addition: compute a new array instead."
        )
    if any(not np.array_equal(a, b) for a, b in zip(before, evidence.inputs, strict=True)):
        return (
            "backward writes into an input (an in-place operation on what forward saved): compute a new array instead."
        )
    if same(second, first):
        return None
    if same(third - second, second - first):
        return (
            "With every call backward returns more (the gradient accumulates): it adds into an array that outlives the "
            "call (made in __init__ or forward). Begin with zeros inside backward."
        )
    return (
        "Called twice with the same gy, backward answers differently: it draws new random numbers (as a dropout mask "
        "drawn afresh), or changes what forward saved. Save in forward what was drawn, and use it here."
    )
