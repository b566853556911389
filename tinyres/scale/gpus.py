"""What several GPUs and captured steps need of CuPy, besides arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinyres.device import load_cupy

if TYPE_CHECKING:
    from tinyres_kernels.gpu.graph import Recorder


def use_gpu(number: int) -> None:
    """Make "cuda" mean the GPU of this number, modulo the number of GPUs, in this thread from now on."""
    cupy = load_cupy()
    cupy.cuda.Device(number % cupy.cuda.runtime.getDeviceCount()).use()


def nccl_library() -> Any:
    """CuPy's bindings of NCCL, which makes sums over GPUs. RuntimeError: they are missing."""
    load_cupy()
    try:
        from cupy.cuda import nccl
    except ImportError as error:
        raise RuntimeError("several GPUs need NCCL, which this CuPy lacks: pip install nvidia-nccl-cu13") from error
    return nccl


def current_stream() -> int:
    """The stream in which this thread's GPU kernels run, as a pointer."""
    return load_cupy().cuda.get_current_stream().ptr


def recorder_on(device: str) -> Recorder:
    """Records work on that GPU ("cuda:0"), which can then be launched again as a whole."""
    from tinyres_kernels.gpu.graph import Recorder  # not above: it loads all kernels for the GPU

    return Recorder(int(device.partition(":")[2]))
