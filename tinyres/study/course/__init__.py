"""Exercises that answer back. `check.NAME` shows a task, `check.NAME(mine)` examines your answer.

    >>> from tinyres.study.course import check
    >>> print(check.cifar_depth(54))  # doctest: +SKIP
    ✗ cifar_depth: not yet.
      54 is not it.
      diagnosis: the first convolution and the linear layer count, too.

After a second and a third wrong answer there comes a hint; `check.NAME.hint()` gives it at once, and
`check.NAME.solution()` shows how it is done. `check` alone shows what you have solved, as does `tinyres course`.
"""

from __future__ import annotations

from tinyres.study.course import (
    chain,
    checking,
    convolution,
    degradation,
    engine,
    linear,
    normalisation,
    pooling,
    relatives,
    residual,
    speed,
    tour,
    training,
    why,
)
from tinyres.study.course.namespace import Check

LESSONS = [
    module.lesson
    for module in (
        tour,
        chain,
        engine,
        checking,
        linear,
        convolution,
        pooling,
        normalisation,
        degradation,
        residual,
        training,
        why,
        relatives,
        speed,
    )
]
check = Check(LESSONS)
