"""tinyres/nn/functional.py: every op is there under torch's name. (F.batch_norm: tests/ops/test_batch_norm.py)"""

import inspect
from pathlib import Path

import pytest

import tinyres.ops
from tinyres.nn import functional as F

NAMES = (
    *("adaptive_avg_pool2d", "avg_pool2d", "batch_norm", "conv2d", "cross_entropy", "dropout", "interpolate", "linear"),
    *("log_softmax", "max_pool2d", "mse_loss", "pad", "relu", "sigmoid", "softmax", "tanh"),
)
BUILT_IN = ("avg_pool2d", "conv2d", "linear", "max_pool2d", "pad")  # of which inspect cannot tell the signature


def arguments(function):
    return list(inspect.signature(function).parameters.values())


@pytest.mark.parametrize("name", NAMES)
def test_is_the_op_of_that_page(name):
    op = getattr(F, name)
    page = Path(inspect.getfile(op)).name
    assert page == ("functional.py" if name == "batch_norm" else f"{name}.py")
    assert (Path(tinyres.ops.__file__).parent / f"{name}.py").exists()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in BUILT_IN])
def test_arguments_as_torch(name):
    """The same names in the same order with the same defaults; torch may have more."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    ours = arguments(getattr(F, name))
    theirs = {p.name: p for p in arguments(getattr(torch.nn.functional, name))}
    names = [p.name for p in ours]
    assert names == [name for name in theirs if name in names]
    assert all(p.default in (p.empty, theirs[p.name].default) for p in ours)
