"""How long each kernel of a training step takes, how many bytes it moves, and how many operations it does.

The kernels and their arrays are those of one captured step, weights in its order too. Each distinct call is timed by
itself, convolutions in float32, TF32 and bf16, with arrays that are no longer in the GPU's cache. Multiplied by how
often each call occurs, the times add up to a step in which only kernels take time.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from math import prod
from typing import Any

import tinyres_kernels.gpu as gpu
from bench.gpu import clock
from bench.gpu.recording import CONVOLUTIONS, Call, is_array, recorded
from bench.gpu.training import captured_steps, one_by_one
from tinyres.scale.precision import using_products
from tinyres_kernels import products

COUNT = "batch_norm_values"  # launches nothing: it only divides two sizes
CACHE = 2**28  # bytes: twice as many as any GPU's cache holds


class Section:
    def __init__(self, model: str, batch_size: int, repeats: int) -> None:
        self.repeats = repeats
        steps = captured_steps(model, batch_size, images=batch_size)
        steps.begin(0, 0, [0.01])
        with recorded(gpu) as calls:
            one_by_one(steps)
        calls = [call for call in calls if call.kernel != COUNT]
        self.counts = Counter(map(label_of, calls))
        self.calls = {label_of(call): call for call in calls}
        self.labels = [
            f"{label} in {kind}" if call.kernel in CONVOLUTIONS else label
            for label, call in self.calls.items()
            for kind in (products.KINDS if call.kernel in CONVOLUTIONS else ("float32",))
        ]

    def measure(self, label: str) -> dict[str, Any]:
        """{"kernel", "kind", "count": calls in a step, "ms", "bytes", "flop"}"""
        name, _, kind = label.partition(" in ")
        call, kind = self.calls[name], kind or "float32"
        with using_products(kind):
            results = call.on(gpu)
            moved = sum(a.nbytes for a in (*call.arguments, *results) if is_array(a))
            taken = clock.kernel_seconds([partial(copy.on, gpu) for copy in copies(call, moved)], self.repeats)
        figures = {"kernel": call.kernel, "kind": kind, "count": self.counts[name], "ms": 1e3 * taken}
        return {**figures, "bytes": moved, "flop": flop(call, results)}


def copies(call: Call, moved: int) -> list[Call]:
    """The same call several times, each on arrays of its own, which together are more bytes than the cache holds."""
    count = min(-(-CACHE // moved), clock.AT_ONCE)
    return [
        Call(call.kernel, tuple(a.copy(order="K") if is_array(a) else a for a in call.arguments)) for _ in range(count)
    ]


def label_of(call: Call) -> str:
    """The kernel's name, and the shapes and settings that tell this call from others."""
    told = ["×".join(map(str, a.shape)) if is_array(a) else str(a).replace(" ", "") for a in call.arguments]
    return f"{call.kernel} {' '.join(told)}"


def flop(call: Call, results: tuple[Any, ...]) -> int:
    """Multiplications and additions of a convolution; 0 for the other kernels, which are bound by memory."""
    if call.kernel in CONVOLUTIONS:
        gy_or_y, w = {
            "conv2d": (results[0], call.arguments[1]),
            "conv2d_grad_x": call.arguments[:2],
            "conv2d_grad_w": (call.arguments[0], results[0]),
        }[call.kernel]
        return 2 * gy_or_y.size * prod(w.shape[1:])
    return 0
