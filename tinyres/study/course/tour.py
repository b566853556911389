"""Lesson 0: setup and tour. Two exercises to see how answering works."""

import numpy as np

from tinyres.ops.multiply import Multiply
from tinyres.study.course.lesson import Lesson

lesson = Lesson(0, "setup and tour")

first_slope = lesson.predict(
    "first_slope",
    question="y = x·x + 2·x. How many times as fast as x does y grow at x = 3, that is, what is ∂y/∂x there?",
    value=8,
    mistakes=(
        (15, "that is y itself at x = 3; asked is its slope."),
        (6, "that is the slope of x·x alone; 2·x has one, too."),
        (5, "x·x has x twice, and each of the two contributes 3."),
        (2, "that is the slope of 2·x alone; x·x has one, too."),
    ),
    hints=("The slope of a sum is the sum of the slopes.", "x·x has the slope 2x, and 2·x has the slope 2."),
    because="the slope is 2x + 2, and x is 3.",
)


@lesson.backward(
    forward=np.square,
    gradients="x",
    inputs=lambda rng: (rng.standard_normal((3, 4)),),
    hints=(
        "Where y grows 2x times as fast as x, the loss feels x 2x times as much as y.",
        "gx = gy · 2x, element by element.",
    ),
    library=(Multiply.backward,),
)
def square_backward(gy, x):
    """y = x², element by element. gy, x (N, M) -> gx (N, M)"""
    return gy * 2 * x
