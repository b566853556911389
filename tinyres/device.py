"""Which device an array is on, and which kernels serve it. The only file of tinyres that names cupy.

The rungs of the ladder are in `tinyres_kernels`: `reference/` (loops: the definition), `array/` (array code), `cpu/`
(compiled by numba), and for GPUs `numba_cuda/` (to read) and `gpu/` (CUDA C++). Every rung offers the functions of
`tinyres_kernels.contract.Kernels`, so an op calls `kernels_for(x).conv2d(...)` whatever serves it. The environment
variable TINYRES_KERNELS=array, or another of RUNGS, forces one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tinyres.threads import tell_numba
from tinyres_kernels import products
from tinyres_kernels.contract import Array, Kernels

if TYPE_CHECKING:
    from tinyres_kernels.gpu.graph import Recorder

RUNGS = "reference", "array", "cpu", "numba_cuda", "gpu"
PRODUCTS = {"highest": "float32", "high": "tf32", "medium": "bf16"}  # torch's words for them


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
