"""Calling the learner's function: whatever it does, it comes back as a value, as `Unsolved` or as a `Complaint`."""

from __future__ import annotations

import inspect
import linecache
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.check.diagnosis.calls import said

OF_ARRAYS = "`if` asks one question, an array has many values: use a mask, gy * (x > 0), or np.where"


class Unsolved(Exception):
    """There is nothing to examine yet. The text says why, if it could be a surprise."""


class Complaint(Exception):
    """The answer cannot be examined, or is wrong in a way that is known at once."""


def is_blank(value: Any) -> bool:
    """What a stub returns: None, …, NotImplemented, or nothing but these."""
    if isinstance(value, (tuple, list)) and len(value) > 0:
        return all(map(is_blank, value))
    return value is None or value is Ellipsis or value is NotImplemented


def expect_function(answer: Any, name: str, parameters: Sequence[str]) -> None:
    """The answer must take this many arguments, and name them in this order."""
    if is_blank(answer):
        raise Unsolved("Pass your function: " + f"check.{name}({name}).")
    if not callable(answer):
        raise Complaint(
            f"expected your function, got {shown(answer)}. Pass the function itself, without calling it: "
            f"check.{name}(my_function)"
        )
    try:
        own = inspect.signature(answer)
    except (TypeError, ValueError):  # a builtin or a ufunc: the call itself will show
        return
    expected = f"{name}({', '.join(parameters)})"
    try:
        own.bind(*parameters)
    except TypeError as error:
        raise Complaint(f"it is called as {expected}, but yours takes {own} ({error})") from None
    names = [p.name for p in own.parameters.values()][: len(parameters)]
    if names != list(parameters) and sorted(names) == sorted(parameters):
        raise Complaint(f"it is called as {expected}; yours has its parameters in another order: {own}")


def call(function: Callable[..., Any], arguments: Sequence[Any], names: Sequence[str]) -> Any:
    """function(*arguments), on copies. Unsolved for a stub; Complaint if it fails, or writes into what it was given."""
    copies = [copied(a) for a in arguments]
    try:
        value = function(*copies)
    except NotImplementedError:
        raise Unsolved from None
    except (Exception, SystemExit) as error:  # anything that a learner's code may raise
        raise failure(error) from None
    if is_blank(value):
        raise Unsolved("(It returns nothing yet; if you have written it, is its `return` missing?)")
    for name, given, now in zip(names, arguments, copies, strict=True):
        if isinstance(given, np.ndarray) and not np.array_equal(given, now):
            raise Complaint(
                f"it writes into {name} (an in-place operation such as {name} *= …, or {name}[…] = …). {name} may "
                "belong to others too: compute a new array instead."
            )
    return value


def failure(error: BaseException) -> Exception:
    """An exception out of the learner's code, in words: as Unsolved if the stub's … is still in it."""
    text = f"{type(error).__name__}: {error}"
    if "ellipsis" in text.casefold() or "NotImplementedType" in text:
        return Unsolved("(A … is still left in it.)")
    lines = [f"it raises {text}"]
    frames = traceback.extract_tb(error.__traceback__)[1:]  # without our own
    if frames:
        line = linecache.getline(frames[0].filename, frames[0].lineno or 0).strip()
        lines.append(f"in line {frames[0].lineno}" + (f": {line[:80]}" if line else ""))
    meaning = OF_ARRAYS if "truth value of an array" in text else said(text)
    if meaning and "self.saved" not in meaning:  # there is no self here
        lines.append(f"diagnosis: {meaning.split('. (It said')[0].removeprefix('backward fails: ')}.")
    return Complaint("\n".join(lines))


def copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list):
        return list(value)
    return {key: copied(kept) for key, kept in value.items()} if isinstance(value, dict) else value


def as_array(value: Any, what: str) -> np.ndarray:
    """What the learner returned as an array of numbers; Complaint if it is not one."""
    if isinstance(value, Tensor):
        value = value.data
    try:
        array = np.asarray(value)
    except Exception as error:  # a ragged list, or an object of the learner's own that says it is an array
        raise Complaint(f"{what}: expected numbers, got {shown(value)} ({error})") from None
    if array.dtype.kind not in "fiub":
        raise Complaint(f"{what}: expected numbers, got {shown(value)}")
    return array.astype(float) if array.dtype.kind == "b" else array


def shown(value: Any) -> str:
    """A value for a message: its type, and what it looks like if that is short."""
    try:
        text = repr(value)
    except Exception:  # a learner's class may have any __repr__
        text = ""
    kind = "an array" if isinstance(value, np.ndarray) else type(value).__name__
    return f"{kind}, {text}" if 0 < len(text) < 60 else kind
