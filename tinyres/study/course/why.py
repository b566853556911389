"""Lesson 11: why it works: paths, shattered gradients, lesions."""

from math import comb

import numpy as np

from tinyres.study.course.lesson import Lesson
from tinyres.study.labs import shattered

lesson = Lesson(11, "why it works")

paths = lesson.predict(
    "paths",
    question="A residual net of 10 blocks: how many paths lead from its input to its output, if each block can be "
    "passed through or around?",
    value=1024,
    tolerance=0,
    mistakes=(
        (20, "the choices multiply: two for the first block, for each of them two for the second, …"),
        (10, "each block has two ways, and each combination is a path."),
        (100, "2¹⁰, not 10²."),
        (11, "that is how many different *lengths* they have."),
        (512, "that is nine blocks."),
        (1023, "the path around all blocks is one, too."),
    ),
    hints=("Two choices at each block.", "2¹⁰"),
    because="2¹⁰ = 1024. A plain net has one.",
)


@lesson.function(
    inputs=lambda rng: (int(rng.integers(3, 12)),),
    hints=(
        "A path of length k goes through k of the n blocks, and around the others. How many ways are there to choose "
        "them?",
        "n over k: math.comb(n, k), for k = 0, …, n.",
    ),
    mistakes=(
        (lambda n: 2**n, "that is all paths together; how many are there of each length, 0 to n?"),
        (lambda n: [1] * (n + 1), "there are many ways to choose which k blocks a path goes through."),
        (lambda n: [2**k for k in range(n + 1)], "all 2ⁿ paths together; of length k there are n over k."),
        (lambda n: [n * (k > 0) + (k == 0) for k in range(n + 1)], "n is right for k = 1 only; n over k."),
        (lambda n: [comb(n, k) / 2**n for k in range(n + 1)], "these are shares; the numbers of paths are asked for."),
    ),
)
def path_lengths(n):
    """n residual blocks -> a list of n + 1 numbers: how many paths go through exactly 0, 1, …, n of them."""
    return [comb(n, k) for k in range(n + 1)]


typical_path = lesson.predict(
    "typical_path",
    question="Of the 2⁵⁴ paths through a net of 54 residual blocks, how many blocks does the average path go through?",
    value=27,
    tolerance=0,
    mistakes=(
        (54, "that is the longest, and there is one of it."),
        (0, "that is the shortest, and there is one of it."),
        (2, "each block is passed through by half of the paths."),
        (108, "there are two layers in a block, but blocks are asked for."),
        (2**53, "that is how many of the paths go through a given block."),
    ),
    hints=("Through any one block go half of all paths.", "54/2"),
    because="binomial: half of the blocks. The gradient comes from shorter paths still (Veit et al. 2016).",
)


@lesson.function(
    inputs=lambda rng: (int(rng.integers(2, 12)),),
    hints=(
        "Three laws (Balduzzi et al. 2017): halving at each layer; three quarters; the inverse root of the depth.",
        "1/2**L, (3/4)**L, 1/√L",
    ),
    mistakes=(
        (lambda L: (0.75**L, 0.5**L, 1 / np.sqrt(L)), "plain and residual are swapped: plain nets shatter faster."),
        (lambda L: (0.5**L, 0.75**L, 1 / L), "with batch norm it is 1/√L, slower than 1/L."),
        (lambda L: (0.5**L, 1 / np.sqrt(L), 0.75**L), "(3/4)^L is *without* batch norm, 1/√L with it."),
        (lambda L: (1 / (2 * L), 0.75**L, 1 / np.sqrt(L)), "1/2^L, not 1/(2·L): it halves with each layer."),
        (lambda L: (0.5**L, 0.25**L, 1 / np.sqrt(L)), "residual: 3/4 at each layer stay, not 1/4."),
    ),
    library=(shattered.next_state,),
)
def shattered_laws(L):
    """L layers -> the correlation of the gradients at two inputs, in theory, for three nets, as a tuple:

    plain, residual without batch norm, residual with batch norm (of the last, only how it depends on L: 1 at L = 1).
    """
    return 0.5**L, 0.75**L, 1 / np.sqrt(L)


lesion = lesson.choose(
    "lesion",
    question="One block is deleted from a trained net of many. What happens (Veit et al. 2016)?",
    options={
        "a": (
            "Both plain and residual nets fail.",
            "a residual net hardly notices: half of its paths are still there.",
        ),
        "b": ("Both hardly notice.", "a plain net has one path; what comes next sees inputs that it never saw."),
        "c": (
            "The plain net fails; the residual net hardly notices.",
            "deleting a block leaves half of the residual net's paths as they were, and none of the plain net's.",
        ),
        "d": ("The residual net fails; the plain net hardly notices.", "it is the other way round: count the paths."),
    },
    right="c",
    hints=("Which share of the paths is cut?", "Half of 2ⁿ, or all of one."),
)
