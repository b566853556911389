"""The same values in another dtype or on another device."""

from typing import Any

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.device import device_of, to_device


class To(Op):
    r"""y = x, converted

    gx = gy, converted back: a gradient has its tensor's dtype and lies on its device.
    """

    def __init__(self, device: str, dtype: np.dtype):
        self.device, self.dtype = device, dtype

    def forward(self, x: Array) -> Array:
        self.saved = device_of(x), x.dtype
        return to_device(x, self.device).astype(self.dtype, copy=False)

    def backward(self, gy: Array) -> Array:
        device, dtype = self.saved
        return to_device(gy, device).astype(dtype, copy=False)


def to(x: Tensor, device: Any = None, dtype: Any = None) -> Tensor:
    """x on `device` ("cpu", "cuda") and in `dtype`; x itself if both are so already. `x.to("float64")` works too."""
    device, dtype = as_target(device, dtype)
    wanted = x.device if device is None else device, x.dtype if dtype is None else dtype
    if wanted == (x.device, x.dtype):
        return x
    return To(*wanted)(x if np.dtype(wanted[1]).kind in "fc" else x.detach())  # integers have no gradient


def as_target(device: Any, dtype: Any) -> tuple[str | None, np.dtype | None]:
    """torch's loose arguments sorted out: a first argument that names a dtype is one."""
    if device is not None and not str(device).startswith(("cpu", "cuda")):
        if dtype is not None:
            raise ValueError(f"to: expected a device such as 'cpu' or 'cuda', got {device!r}")
        device, dtype = None, device
    try:
        return device, None if dtype is None else np.dtype(dtype)
    except TypeError:
        raise ValueError(f"to: expected a device ('cpu', 'cuda') or a dtype ('float32'), got {dtype!r}") from None


Tensor.to = to
