"""The two paths of a residual connection are told apart."""

import pytest

from tinyres.look.viz.residual import residual_paths


def test_the_identity():
    #  0 x, 1 w, 2 = f(x, w), 3 = 2 + x
    ways = residual_paths({0: [], 1: [], 2: [0, 1], 3: [2, 0]}, 3)
    assert ways == (0, ("branch", "identity"), {2: "branch"})
    assert residual_paths({0: [], 1: [], 2: [0, 1], 3: [0, 2]}, 3).roles == ("identity", "branch")


def test_a_shortcut_with_an_op_of_its_own():
    #  1, 2 the branch from 0; 3 the shortcut
    ways = residual_paths({0: [], 1: [0], 2: [1], 3: [0], 4: [2, 3]}, 4)
    assert ways == (0, ("branch", "shortcut"), {1: "branch", 2: "branch", 3: "shortcut"})


def test_the_fork_is_the_last_one():
    #  one block after another: 2 = 1 + 0, 4 = 3 + 2
    ways = residual_paths({0: [], 1: [0], 2: [1, 0], 3: [2], 4: [3, 2]}, 4)
    assert (ways.fork, ways.role_of) == (2, {3: "branch"})


@pytest.mark.parametrize(
    "inputs",
    [{0: [], 1: [], 2: [0, 1]}, {0: [], 1: [0], 2: [0], 3: [1, 2]}, {0: [], 1: [0, 0]}],
    ids=["a bias", "two equal branches", "x + x"],
)
def test_no_residual_connection(inputs):
    assert residual_paths(inputs, max(inputs)) is None
