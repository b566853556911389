"""tinyres/ops/mse_loss.py"""

from support import Case, OpTests, floats, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def mse_loss(lib, x, target, **settings):
    return lib.nn.functional.mse_loss(x, target, **settings)


def test_by_hand():
    x, target = Tensor([1.0, 5.0], requires_grad=True), Tensor([3.0, 4.0])
    loss = F.mse_loss(x, target)
    loss.backward()
    assert loss.item() == 2.5  # ((1 − 3)² + (5 − 4)²) / 2
    assert x.grad.tolist() == [-2, 1]  # 2·(x − target) / 2


class TestMSELoss(OpTests):
    CASES = (
        Case(mse_loss, (2, 3), (2, 3)),
        Case(mse_loss, (), ()),
        Case(mse_loss, (2, 1, 3), (2, 1, 3), reduction="sum"),
        Case(mse_loss, (4,), (4,), reduction="none"),
    )
    MORE = tuple(
        Case(mse_loss, shape, shape, reduction=reduction)
        for shape in ((9, 1), (2, 3, 4, 5))
        for reduction in ("mean", "sum", "none")
    )
    ERRORS = (
        (
            lambda: F.mse_loss(floats(2, 3), floats(3)),
            ValueError,
            "mse_loss: expected input and target of one shape, got (2, 3) and (3,)",
        ),
        (
            lambda: F.mse_loss(floats(2), integers(2)),
            TypeError,
            "mse_loss: expected target in floating point, got int64",
        ),
        (
            lambda: F.mse_loss(floats(2), floats(2, dtype="float64")),
            TypeError,
            "mse_loss: expected one dtype, got input float32, target float64",
        ),
        (
            lambda: F.mse_loss(floats(2), floats(2), reduction="max"),
            ValueError,
            "mse_loss: expected reduction 'mean', 'sum' or 'none', got 'max'",
        ),
    )
