"""Unforeseen mistakes: which one change to our solution gives what the learner's function gives?

Each changed solution is run on the same random inputs. One that agrees with the learner's function in every element of
every draw says what the learner did.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from tinyres.check.diagnosis import mutants as source_mutants
from tinyres.study.course.source import source_of

MOST = 500  # changes that are tried
LINES = 20_000  # that a changed solution may run


def mutants(function: Callable[..., Any]) -> Iterator[tuple[Callable[..., Any], str]]:
    """(a function that goes wrong in one place, what is wrong in it)"""
    source = source_of(function)
    names = source_mutants.names_in(source)
    swaps = {name: [(other, "") for other in (*names, "0") if other != name] for name in names}
    for changed, words in islice(source_mutants.mutants(source, swaps), MOST):
        space = dict(function.__globals__)
        try:
            exec(compile(changed, source_mutants.FILE, "exec"), space)
        except SyntaxError:
            continue
        yield space[function.__name__], words


def explained_by(function: Callable[..., Any], agrees: Callable[[Callable[..., Any]], bool]) -> str | None:
    """What is wrong in the first mutant of function that agrees."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of 0[k], say
        for wrong, words in mutants(function):
            try:
                with source_mutants.at_most(LINES):
                    if agrees(wrong):
                        return words
            except Exception:  # many make no sense: shapes that do not fit, names without a value, loops without end
                continue
    return None
