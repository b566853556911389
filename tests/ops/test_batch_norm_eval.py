"""tinyres/ops/batch_norm_eval.py, through F.batch_norm with training=False."""

import numpy as np
from support import Case, OpTests, floats

from tinyres import Tensor
from tinyres.nn import functional as F

MEAN, VAR = [0.5, -1.0, 2.0], [1.0, 0.25, 4.0]


def batch_norm_eval(lib, x, weight=None, bias=None, **settings):
    """With given statistics, as x's own kind of tensor and in its dtype."""
    mean, var = (statistics(lib, values, x) for values in (MEAN, VAR))
    return lib.nn.functional.batch_norm(x, mean, var, weight, bias, training=False, **settings)


def statistics(lib, values, x):
    return Tensor(np.array(values, x.dtype)) if isinstance(x, Tensor) else lib.tensor(values, dtype=x.dtype)


def test_by_hand():
    x, mean, var = Tensor([[1.0], [4.0]], requires_grad=True), Tensor([2.0]), Tensor([4.0])
    y = F.batch_norm(x, mean, var, Tensor([10.0]), Tensor([5.0]), training=False, eps=0.0)
    y.backward(np.float32([[1], [2]]))
    assert y.data.tolist() == [[0], [15]]  # 10·(x − 2)/√4 + 5
    assert x.grad.tolist() == [[5], [10]]  # gy·10/√4


class TestBatchNormEval(OpTests):
    CASES = (
        Case(batch_norm_eval, (2, 3)),
        Case(batch_norm_eval, (1, 3, 1, 1), (3,), (3,)),
        Case(batch_norm_eval, (2, 3, 2, 1), (3,), (3,)),
        Case(batch_norm_eval, (2, 3, 2), (3,), (3,), eps=0.1),
    )
    MORE = tuple(Case(batch_norm_eval, (N, 3, *size), (3,), (3,)) for N in (0, 1, 5) for size in ((), (7,), (3, 4)))

    ERRORS = (
        (
            lambda: F.batch_norm(floats(2, 4), floats(3), floats(3)),
            ValueError,
            "batch_norm: expected running statistics (4,), got (3,)",
        ),
    )

    def test_the_running_statistics_stay_as_they_are(self):
        mean, var = Tensor(np.array(MEAN)), Tensor(np.array(VAR))
        F.batch_norm(Tensor(np.ones((2, 3))), mean, var)
        assert mean.data.tolist() == MEAN
        assert var.data.tolist() == VAR
