"""tinyres: residual networks and back-propagation from scratch, every backward pass written by hand.

    >>> import tinyres
    >>> x = tinyres.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    array([2., 4., 6.], dtype=float32)

Where to read: autograd.py (the engine), ops/conv2d.py (an op), models/resnet.py (a network), train.py (the loop).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinyres import nn, optim
from tinyres.autograd import Op, Tensor
from tinyres.creation import ones, randn, tensor, zeros
from tinyres.modes import Observer, no_grad, observe
from tinyres.nn.fused import unfused
from tinyres.ops.cat import cat
from tinyres.ops.reshape import flatten
from tinyres.random import manual_seed
from tinyres.threads import follow_environment, get_num_threads, set_num_threads

if TYPE_CHECKING:
    from tinyres.check.adjoint import adjoint_check
    from tinyres.check.gradcheck import gradcheck
    from tinyres.look.anomaly import AnomalyError, detect_anomaly
    from tinyres.look.profiler import profile
    from tinyres.scale.precision import get_float32_matmul_precision, set_float32_matmul_precision

__version__ = "0.1.0"
__all__ = [
    "AnomalyError",
    "Observer",
    "Op",
    "Tensor",
    "adjoint_check",
    "cat",
    "detect_anomaly",
    "flatten",
    "get_float32_matmul_precision",
    "get_num_threads",
    "gradcheck",
    "manual_seed",
    "nn",
    "no_grad",
    "observe",
    "ones",
    "optim",
    "profile",
    "randn",
    "set_float32_matmul_precision",
    "set_num_threads",
    "tensor",
    "unfused",
    "zeros",
]

# Names from the wings: loaded when they are first used, so that `import tinyres` loads the core alone.
_FROM_WINGS = {
    "AnomalyError": "tinyres.look.anomaly",
    "adjoint_check": "tinyres.check.adjoint",
    "detect_anomaly": "tinyres.look.anomaly",
    "get_float32_matmul_precision": "tinyres.scale.precision",
    "gradcheck": "tinyres.check.gradcheck",
    "profile": "tinyres.look.profiler",
    "set_float32_matmul_precision": "tinyres.scale.precision",
}


def __getattr__(name: str) -> Any:
    if name not in _FROM_WINGS:
        raise AttributeError(f"module 'tinyres' has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_FROM_WINGS[name]), name)
    return value


follow_environment()
