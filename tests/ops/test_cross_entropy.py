"""tinyres/ops/cross_entropy.py"""

import numpy as np
import pytest
from support import Case, OpTests, floats, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def cross_entropy(lib, x, labels, **settings):
    return lib.nn.functional.cross_entropy(x, labels, **settings)


def test_by_hand():
    scores = Tensor([[0.0, np.log(3.0)]], requires_grad=True)
    loss = F.cross_entropy(scores, np.array([0]))  # softmax(scores) = (1/4, 3/4), and class 0 is right
    loss.backward()
    np.testing.assert_allclose(loss.item(), np.log(4), rtol=1e-6)  # −ln 1/4
    np.testing.assert_allclose(scores.grad, [[-0.75, 0.75]], rtol=1e-6)  # softmax(scores) − (1, 0)


class TestCrossEntropy(OpTests):
    CASES = (
        Case(cross_entropy, (3, 4), [0, 3, 1]),
        Case(cross_entropy, (1, 2), [1]),
        Case(cross_entropy, (2, 1), [0, 0]),
        Case(cross_entropy, (3, 4), [2, 2, 0], reduction="sum"),
        Case(cross_entropy, (3, 4), [2, 2, 0], reduction="none"),
        Case(cross_entropy, (3, 4), [1, 0, 3], label_smoothing=0.1),
        Case(cross_entropy, (3, 4), [1, 0, 3], label_smoothing=1.0, reduction="none"),
    )
    MORE = tuple(
        Case(cross_entropy, (6, K), [0, K - 1, K // 2, 0, 1, 1], reduction=reduction, label_smoothing=smoothing)
        for K in (2, 3, 10, 101)
        for reduction in ("mean", "sum", "none")
        for smoothing in (0.0, 0.3)
    )
    ERRORS = (
        (
            lambda: F.cross_entropy(floats(2, 3), [0]),
            ValueError,
            "cross_entropy: expected scores (N, K) and labels (N), got (2, 3) and (1,)",
        ),
        (
            lambda: F.cross_entropy(floats(2, 3, 4), [0, 1]),
            ValueError,
            "cross_entropy: expected scores (N, K) and labels (N), got (2, 3, 4) and (2,)",
        ),
        (
            lambda: F.cross_entropy(floats(2, 3), [0, 3]),
            ValueError,
            "cross_entropy: labels must lie in 0 to 2, got 0 to 3",
        ),
        (
            lambda: F.cross_entropy(floats(2, 3), [-1, 2]),
            ValueError,
            "cross_entropy: labels must lie in 0 to 2, got -1 to 2",
        ),
        (
            lambda: F.cross_entropy(floats(2, 3), floats(2)),
            TypeError,
            "cross_entropy: expected integer labels, got float32",
        ),
        (
            lambda: F.cross_entropy(integers(2, 3), [0, 1]),
            TypeError,
            "cross_entropy: expected input in floating point, got int64",
        ),
        (
            lambda: F.cross_entropy(floats(0, 3), np.zeros(0, int)),
            ValueError,
            "cross_entropy: expected at least one row of scores, got an empty batch",
        ),
        (
            lambda: F.cross_entropy(floats(2, 3), [0, 1], label_smoothing=2),
            ValueError,
            "cross_entropy: expected label_smoothing from 0 to 1, got 2",
        ),
        (
            lambda: F.cross_entropy(floats(2, 3), [0, 1], reduction="max"),
            ValueError,
            "cross_entropy: expected reduction 'mean', 'sum' or 'none', got 'max'",
        ),
    )

    def test_scores_of_no_opinion_cost_ln_K(self):
        np.testing.assert_allclose(F.cross_entropy(floats(2, 10), [0, 7]).item(), np.log(10), rtol=1e-6)

    @pytest.mark.parametrize("label", [0, 1])
    def test_large_scores_stay_finite(self, label):
        x = Tensor([[1000.0, 0.0]], requires_grad=True)
        loss = F.cross_entropy(x, [label])
        loss.backward()
        assert loss.item() == 1000 * label
        assert x.grad.tolist() == [[label, -label]]

    @pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
    def test_any_integers_serve_as_labels(self, dtype):
        wanted = F.cross_entropy(floats(2, 3), [0, 2]).item()
        assert F.cross_entropy(floats(2, 3), np.array([0, 2], dtype)).item() == wanted
