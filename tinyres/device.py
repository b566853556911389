"""Which device an array is on, and which kernels serve it. The only file of tinyres that names cupy.

The rungs of the ladder stand in `tinyres_kernels`: `reference/` (loops: the definition), `array/` (array code), `cpu/`
(compiled by numba), and for GPUs `numba_cuda/` (to read) and `gpu/` (CUDA C++). Every rung offers the functions of
`Kernels` below, so an op says `kernels_for(x).conv2d(...)` and need not know more. TINYRES_KERNELS=array, or another of
RUNGS, forces one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from tinyres.threads import tell_numba
from tinyres_kernels import products

if TYPE_CHECKING:
    from tinyres_kernels.gpu.graph import Recorder

Array = Any
Pair = tuple[int, int]
RUNGS = "reference", "array", "cpu", "numba_cuda", "gpu"
PRODUCTS = {"highest": "float32", "high": "tf32", "medium": "bf16"}  # torch's words for them


class Kernels(Protocol):
    """What every rung offers. conv2d is in `reference/conv2d.py`, `array/conv2d.py` and so on; others likewise.

    A rung is a module. Letters: N images, C channels in, O channels out, (H, W) in, (P, Q) out.
    stride and padding: (rows, columns).
    """

    __name__: str

    def conv2d(self, x: Array, w: Array, stride: Pair, padding: Pair) -> Array:
        """x (N,C,H,W), w (O,C,KH,KW) -> y (N,O,P,Q)"""

    def conv2d_grad_x(self, gy: Array, w: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
        """gy (N,O,P,Q), w (O,C,KH,KW) -> gx (N,C,H,W)"""

    def conv2d_grad_w(self, gy: Array, x: Array, w_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
        """gy (N,O,P,Q), x (N,C,H,W) -> gw (O,C,KH,KW)"""

    def max_pool2d(self, x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> tuple[Array, Array]:
        """x (N,C,H,W) -> y (N,C,P,Q), and where in its window each maximum stood: i·KW + j (N,C,P,Q)"""

    def max_pool2d_grad_x(
        self, gy: Array, argmax: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair
    ) -> Array:
        """gy, argmax (N,C,P,Q) -> gx (N,C,H,W)"""

    def avg_pool2d(
        self, x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool, count_include_pad: bool
    ) -> Array:
        """x (N,C,H,W) -> y (N,C,P,Q)"""

    def avg_pool2d_grad_x(
        self, gy: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, count_include_pad: bool
    ) -> Array:
        """gy (N,C,P,Q) -> gx (N,C,H,W)"""

    # batch_norm: mean, r = 1/√(var + eps), gamma, beta and their gradients are (C); M values each channel.

    def batch_norm_statistics(self, x: Array, eps: float) -> tuple[Array, Array, Array]:
        """x (N,C,…) -> mean (C), var (C), r (C)"""

    def batch_norm_track(
        self, running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float, values: int
    ) -> None:
        """All (C). Move the running statistics, in place, towards those of a batch with M = values."""

    def batch_norm(self, x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
        """x (N,C,…) -> y = gamma·(x − mean)·r + beta (N,C,…)"""

    def batch_norm_grad_sums(self, gy: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array]:
        """gy, x (N,C,…) -> gbeta (C), ggamma (C)"""

    def batch_norm_grad_x(
        self, gy: Array, x: Array, mean: Array, r: Array, gamma: Array, gbeta: Array, ggamma: Array
    ) -> Array:
        """gy, x (N,C,…) -> gx (N,C,…)"""

    def batch_norm_relu(self, x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
        """x (N,C,…) -> y = max(batch_norm(x), 0) (N,C,…)"""

    def batch_norm_relu_grad_sums(
        self, gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array
    ) -> tuple[Array, Array]:
        """gy, x (N,C,…) -> gbeta (C), ggamma (C)"""

    def batch_norm_relu_grad_x(
        self, gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array, gbeta: Array, ggamma: Array
    ) -> Array:
        """gy, x (N,C,…) -> gx (N,C,…)"""

    def batch_norm_add_relu(self, x: Array, residual: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
        """x, residual (N,C,…) -> y = max(batch_norm(x) + residual, 0) (N,C,…)"""

    def batch_norm_add_relu_grad_sums(
        self, gy: Array, y: Array, x: Array, mean: Array, r: Array
    ) -> tuple[Array, Array, Array]:
        """gy, y, x (N,C,…) -> g = gy·(y > 0) (N,C,…), gbeta (C), ggamma (C). gx: batch_norm_grad_x(g, …)"""

    # Letters of a fully connected layer: N rows, I features in, O out; of cross-entropy: K classes.

    def linear(self, x: Array, w: Array, b: Array | None) -> Array:
        """x (N,I), w (O,I), b (O) or None -> y (N,O)"""

    def linear_grad_x(self, gy: Array, w: Array) -> Array:
        """gy (N,O), w (O,I) -> gx (N,I)"""

    def linear_grad_w(self, gy: Array, x: Array) -> Array:
        """gy (N,O), x (N,I) -> gw (O,I)"""

    def linear_grad_b(self, gy: Array) -> Array:
        """gy (N,O) -> gb (O)"""

    def cross_entropy(self, x: Array, labels: Array, smoothing: float) -> tuple[Array, Array]:
        """x (N,K), labels (N) -> the losses (N), p = softmax(x) (N,K)"""

    def cross_entropy_grad_x(self, gy: Array, p: Array, labels: Array, smoothing: float) -> Array:
        """gy (N), p (N,K), labels (N) -> gx (N,K)"""

    # Of any shape. What comes out lies in memory in the order of what went in.

    def spread(
        self, x: Array, shape: tuple[int, ...], first: tuple[int, ...], step: tuple[int, ...], value: float
    ) -> Array:
        """x -> y of that shape: y[first + step·i] = x[i] along every axis, and value everywhere else"""

    # Element by element, of any shape. What comes out lies in memory in the order of what went in.

    def add(self, a: Array, b: Array) -> Array:
        """a, b -> y = a + b, of the shape and the type that both broadcast to"""

    def relu(self, x: Array) -> Array:
        """x -> y = max(x, 0)"""

    def relu_grad_x(self, gy: Array, y: Array) -> Array:
        """gy, y -> gx = gy where y > 0, else 0"""


def kernels_for(x: Array) -> Kernels:
    """The fastest kernels there are for arrays of x's type."""
    forced = os.environ.get("TINYRES_KERNELS")
    if forced is not None:
        return _rung(forced)
    if _is_cupy(x):
        return _rung("gpu")
    return _rung("cpu" if _has_numba() else "array")


@cache
def _has_numba() -> bool:
    return find_spec("numba") is not None


@cache
def _rung(name: str) -> Kernels:
    """Imported at the first use: numba takes longer to import than all of tinyres."""
    if name not in RUNGS:
        raise ValueError(f"TINYRES_KERNELS: expected one of {', '.join(RUNGS)}; got {name!r}")
    module = import_module(f"tinyres_kernels.{name}")
    if name == "cpu":
        tell_numba()
    return cast(Kernels, module)


def must_compile() -> bool:
    """Will the first step have to compile the kernels, once for this machine? It takes some 20 seconds of one core."""
    if kernels_for(np.zeros(1)).__name__ != "tinyres_kernels.cpu":
        return False
    from tinyres_kernels.cpu import cache

    return cache.is_empty()


def set_float32_matmul_precision(precision: str) -> None:
    """How exactly a GPU multiplies in the convolutions of float32 arrays, from here on.

    highest  in float32
    high     in TF32: factors rounded to 11 significant bits, products added up in float32; several times as fast
    medium   in bf16: factors rounded to 8 significant bits; faster still
    Arrays stay float32, and so does everything else. It is a leave to round, as in torch: on the CPU, and for float64,
    nothing changes. ValueError: another word.
    """
    if precision not in PRODUCTS:
        expected = ", ".join(map(repr, PRODUCTS))
        raise ValueError(f"set_float32_matmul_precision: expected one of {expected}; got {precision!r}")
    products.choose(PRODUCTS[precision])


def get_float32_matmul_precision() -> str:
    """ "highest", "high" or "medium": see set_float32_matmul_precision."""
    return next(precision for precision, kind in PRODUCTS.items() if kind == products.get())


@contextmanager
def using_products(kind: str) -> Iterator[None]:
    """Inside, a GPU multiplies float32 arrays in "float32", "tf32" or "bf16"."""
    before = products.get()
    products.choose(kind)
    try:
        yield
    finally:
        products.choose(before)


def is_array(data: Any) -> bool:
    """Is this an array that a Tensor can hold as it is?"""
    return isinstance(data, np.ndarray) or _is_cupy(data)


def device_of(array: Array) -> str:
    """Where array lies: "cpu", or "cuda:0" for the first GPU."""
    return f"cuda:{array.device.id}" if _is_cupy(array) else "cpu"


def to_device(array: Array, device: str) -> Array:
    """array on that device; the very array if it is there already.

    device: "cpu"; "cuda", the GPU that `use_gpu` chose, or else the first; "cuda:1", this one
    """
    kind, _, index = device.partition(":")
    if kind == "cpu":
        return array.get() if _is_cupy(array) else array
    if kind != "cuda":
        raise ValueError(f"device: expected 'cpu' or 'cuda', got {device!r}")
    cupy = _cupy()
    try:
        with cupy.cuda.Device(int(index) if index else None):
            return cupy.asarray(array)
    except RuntimeError as error:
        if any(name in str(error) for name in ("cudaErrorNoDevice", "cudaErrorInsufficientDriver")):
            raise RuntimeError(
                f"device 'cuda' needs an NVIDIA GPU and its driver, and CuPy finds none ({error}); "
                "install the driver for your GPU until nvidia-smi lists it"
            ) from error
        raise


def use_gpu(number: int) -> None:
    """From here on "cuda" is, in this thread, the GPU with this number; there are so many, and it wraps around."""
    cupy = _cupy()
    cupy.cuda.Device(number % cupy.cuda.runtime.getDeviceCount()).use()


def nccl_library() -> Any:
    """CuPy's bindings of NCCL, which sums over GPUs."""
    _cupy()
    try:
        from cupy.cuda import nccl
    except ImportError as error:
        raise RuntimeError("several GPUs need NCCL, which this CuPy lacks: pip install nvidia-nccl-cu13") from error
    return nccl


def current_stream() -> int:
    """The queue that this thread's GPU kernels stand in, as a pointer."""
    return _cupy().cuda.get_current_stream().ptr


def _cupy() -> Any:
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError("device 'cuda' needs CuPy: pip install 'tinyres[cuda13]' (or cuda12)") from error
    return cupy


def recorder_on(device: str) -> Recorder:
    """What records work on that GPU ("cuda:0"), to launch it again as a whole."""
    from tinyres_kernels.gpu.graph import Recorder

    return Recorder(int(device.partition(":")[2]))


def _is_cupy(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "cupy"
