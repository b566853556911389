"""Which device an array is on, and which kernels compute with it.

The kernels are in `tinyres_kernels`, on five rungs: `reference/` (loops: the definition), `array/` (array code), `cpu/`
(compiled by numba), and for GPUs `numba_cuda/` (to read) and `gpu/` (CUDA C++). Every rung has all the functions of
`tinyres_kernels.contract.Kernels`, so an op calls `kernels_for(x).conv2d(...)` and knows nothing of rungs. The
environment variable TINYRES_KERNELS=array, or another name of RUNGS, chooses one rung for everything.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

import numpy as np

from tinyres.threads import tell_numba
from tinyres_kernels.contract import Array, Kernels

RUNGS = "reference", "array", "cpu", "numba_cuda", "gpu"


class _Mode(threading.local):
    through: Callable[[Kernels], Kernels] | None = None


_mode = _Mode()


def kernels_for(x: Array) -> Kernels:
    """The fastest kernels for arrays of x's type."""
    rung = os.environ.get("TINYRES_KERNELS")
    if rung is None:
        rung = "gpu" if _is_cupy(x) else "cpu" if _has_numba() else "array"
    kernels = _rung(rung)
    return kernels if _mode.through is None else _mode.through(kernels)


@contextmanager
def kernels_through(wrap: Callable[[Any], Any]) -> Iterator[None]:
    """Inside, ops of this thread compute with wrap(kernels), an object between them and the kernels."""
    before, _mode.through = _mode.through, wrap
    try:
        yield
    finally:
        _mode.through = before


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


def as_array(data: Any) -> Array:
    """An array as it is; a number or nested lists as a new one, Python's floats as float32. TypeError: no numbers."""
    if is_array(data):
        return data
    array = np.asarray(data)
    if array.dtype.kind not in "fciub":
        raise TypeError(f"expected numbers, got {type(data).__name__} with dtype {array.dtype}")
    made_of_python_floats = array.dtype == np.float64 and not isinstance(data, np.generic)
    return array.astype(np.float32) if made_of_python_floats else array


def is_array(data: Any) -> bool:
    """Is this an array that a Tensor can hold as it is?"""
    return isinstance(data, np.ndarray) or _is_cupy(data)


def device_of(array: Array) -> str:
    """Where array lies: "cpu", or "cuda:0" for the first GPU."""
    return f"cuda:{array.device.id}" if _is_cupy(array) else "cpu"


def to_device(array: Array, device: str) -> Array:
    """array on that device; the same array if it is there already.

    device: "cpu"; "cuda", the current GPU (the first, unless another was chosen); or "cuda:1", that one
    """
    kind, _, index = device.partition(":")
    if kind == "cpu":
        return array.get() if _is_cupy(array) else array
    if kind != "cuda":
        raise ValueError(f"device: expected 'cpu' or 'cuda', got {device!r}")
    cupy = load_cupy()
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


def load_cupy() -> Any:
    """The module cupy. RuntimeError: it is not installed."""
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError("device 'cuda' needs CuPy: pip install 'tinyres[cuda13]' (or cuda12)") from error
    return cupy


def _is_cupy(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "cupy"
