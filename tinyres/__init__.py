"""tinyres: residual networks and back-propagation from scratch, every backward pass written by hand.

    >>> import tinyres
    >>> x = tinyres.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    array([2., 4., 6.], dtype=float32)

Where to read: autograd.py (the engine), ops/conv2d.py (an op), models/resnet.py (a network), training/trainer.py.
"""

from tinyres import nn, optim
from tinyres.autograd import Observer, Op, Tensor, no_grad, observe
from tinyres.check.adjoint import adjoint_check
from tinyres.check.gradcheck import gradcheck
from tinyres.creation import ones, randn, tensor, zeros
from tinyres.device import get_float32_matmul_precision, set_float32_matmul_precision
from tinyres.fusion import unfused
from tinyres.look.anomaly import AnomalyError, detect_anomaly
from tinyres.look.profiler import profile
from tinyres.ops.cat import cat
from tinyres.ops.reshape import flatten
from tinyres.random import manual_seed
from tinyres.threads import follow_environment, get_num_threads, set_num_threads

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

follow_environment()
