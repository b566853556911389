"""Every kernel on the GPU against float64 on the CPU, on sizes that are no multiples of a tile.

Convolutions are checked in TF32 and bf16 too. The float64 computation then gets its factors rounded as the GPU rounds
them, so that only the sums in float32 may differ.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

import tinyres_kernels.array as array
import tinyres_kernels.gpu as gpu
from bench.gpu.recording import CONVOLUTIONS, Call, recorded
from tinyres.autograd import Tensor
from tinyres.device import to_device
from tinyres.nn import functional as F
from tinyres.nn import fused
from tinyres.scale.precision import using_products

FLOAT32 = 1e-5  # relative to the norm: sums of thousands of terms, added in another order
KINDS = "tf32", "bf16"


class Wrong(Exception):
    """A kernel differs from float64 by more than rounding explains."""


class Section:
    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        for call in one_of_each():
            alike = sum(label.split(" #")[0] == call.kernel for label in self.calls)
            self.calls[f"{call.kernel} #{alike + 1}" if alike else call.kernel] = call
        rounded = {label: call for label, call in self.calls.items() if call.kernel in CONVOLUTIONS}
        self.calls |= {f"{label} in {kind}": call for label, call in rounded.items() for kind in KINDS}
        self.labels = list(self.calls)

    def measure(self, label: str) -> dict[str, float]:
        """{"distance": from float64, relative to the norm, "allowed": its limit}. Wrong: the distance exceeds it."""
        call, kind = self.calls[label], label.partition(" in ")[2] or "float32"
        exact = call.on(array, lambda a: rounded(a, kind).astype(np.float64) if is_float32(a) else copied(a))
        with using_products(kind):
            found = call.on(gpu, lambda a: to_device(a.copy(order="K"), "cuda") if isinstance(a, np.ndarray) else a)
        distances = [apart(to_device(ours, "cpu"), wanted) for ours, wanted in zip(found, exact, strict=True)]
        distance, allowed = float(np.max(distances)), FLOAT32  # np.max: a NaN stays one
        if call.kernel in CONVOLUTIONS:
            allowed *= spread(call, exact[0])
        if not distance <= allowed:
            raise Wrong(f"{label}: {distance:.1e} from float64, at most {allowed:.1e} is allowed")
        return {"distance": distance, "allowed": allowed}


def apart(found: np.ndarray, wanted: np.ndarray) -> float:
    """The norm of the difference, divided by the norm of the wanted array."""
    return float(np.linalg.norm(found - wanted) / (np.linalg.norm(wanted) + 1e-30))


def one_of_each() -> list[Call]:
    """Calls that cover every kernel: forward and backward of a small network with every op, on the CPU."""
    forced = os.environ.get("TINYRES_KERNELS")
    os.environ["TINYRES_KERNELS"] = "array"
    try:
        with recorded(array) as calls:
            everything().backward()
        return calls
    finally:
        if forced is None:
            del os.environ["TINYRES_KERNELS"]
        else:
            os.environ["TINYRES_KERNELS"] = forced


def everything() -> Tensor:
    """The mean loss of a network with every op that has kernels of its own."""
    draws = np.random.default_rng(0)

    def tensor(*shape: int) -> Tensor:
        return Tensor(draws.standard_normal(shape).astype(np.float32), requires_grad=True)

    def statistics(C: int) -> tuple[Tensor, Tensor]:
        return Tensor(np.zeros(C, np.float32)), Tensor(np.ones(C, np.float32))

    x = F.conv2d(tensor(3, 18, 21, 19), tensor(20, 18, 3, 3), stride=2, padding=1)  # 20 channels of 11×10
    x = F.batch_norm(x, *statistics(20), tensor(20), tensor(20), training=True)
    x = F.relu(x + tensor(3, 20, 11, 10))
    x = F.max_pool2d(x, 3, stride=2, padding=1)  # 6×5
    y = F.conv2d(x, tensor(20, 20, 3, 3), padding=1)
    y = fused.batch_norm_relu(y, F.Norm(*statistics(20), tensor(20), tensor(20), training=True))
    y = F.conv2d(y, tensor(20, 20, 1, 1))
    y = fused.batch_norm_add_relu(y, x, F.Norm(*statistics(20), tensor(20), tensor(20), training=True))
    y = F.pad(y, (1, 0, 2, 1))
    y = F.avg_pool2d(y, 3, stride=2, padding=1)  # 5×3
    scores = F.linear(y.flatten(1), tensor(10, 20 * 5 * 3), tensor(10))
    return F.cross_entropy(scores, np.array([3, 0, 9]))


def spread(call: Call, exact: np.ndarray) -> float:
    """How much larger the norm of a convolution's sums would be if none of their terms cancelled."""
    (most,) = call.on(array, lambda a: np.abs(a.astype(np.float64)) if is_float32(a) else a)
    return float(np.linalg.norm(most) / np.linalg.norm(exact))


def rounded(x: np.ndarray, kind: str) -> np.ndarray:
    """x (float32) rounded as the GPU rounds factors.

    tf32: to 10 bits of fraction, ties away from zero; bf16: to 7 bits, ties to even; float32: unchanged.
    """
    bits = x.view(np.uint32) if x.flags.c_contiguous else x.copy().view(np.uint32)
    if kind == "tf32":
        bits = (bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)
    if kind == "bf16":
        bits = (bits + np.uint32(0x7FFF) + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
    return bits.view(np.float32)


def is_float32(argument: Any) -> bool:
    return isinstance(argument, np.ndarray) and argument.dtype == np.float32


def copied(argument: Any) -> Any:
    return argument.copy() if isinstance(argument, np.ndarray) else argument
