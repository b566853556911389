"""What training on several GPUs, or by captured steps, needs of CuPy beyond arrays."""

from __future__ import annotations

from typing import Any

from tinyres.device import load_cupy
from tinyres_kernels.gpu.graph import Recorder


def use_gpu(number: int) -> None:
    """From here on "cuda" means, in this thread, the GPU of this number, counted modulo the number of GPUs."""
    cupy = load_cupy()
    cupy.cuda.Device(number % cupy.cuda.runtime.getDeviceCount()).use()


def nccl_library() -> Any:
    """CuPy's bindings of NCCL, which sums over GPUs."""
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
    """The recorder of work on that GPU ("cuda:0"), which can then be launched again as a whole."""
    return Recorder(int(device.partition(":")[2]))
