"""The same network and the same step in torch, on the same GPU, in all the ways that are known to make it fast.

float32        products in float32                            eager          plain torch code
tf32           torch.backends' allow_tf32                     channels_last  images and weights NHWC in memory
bf16           autocast, as in torch's own examples           graph          channels_last, and the step captured
                                                              compile        channels_last, and torch.compile
                                                              reduce-overhead  compile with torch's own graphs
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch.nn import functional as F

from bench.torch_twin import twin
from tinyres import models as ours
from tinyres.app.bench.step import batch
from tinyres.app.bench.stopwatch import WARM_UP

KINDS = ("float32", "tf32", "bf16")
WAYS = ("eager", "channels_last", "graph", "compile", "reduce-overhead")  # those that take long to prepare come last


class Section:
    """repeats: as for training.Section. device: "cpu" is for tests on machines without a GPU."""

    def __init__(self, models: list[str], batch_size: int, repeats: int, device: str = "cuda") -> None:
        self.batch_size, self.steps, self.device = batch_size, 10 * repeats, device
        self.labels = [f"{model} {kind} {way}" for way in WAYS for model in models for kind in KINDS]

    def measure(self, label: str) -> dict[str, object]:
        """Like training.Section.measure."""
        model, kind, way = label.split()
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = kind != "float32"
        torch.backends.cudnn.benchmark = True  # the fastest of cuDNN's kernels for these shapes
        step = training_step(model, kind, way, self.batch_size, self.device)
        taken = seconds(step, self.steps, self.device)
        figures = {"ms": 1e3 * taken, "images_per_second": self.batch_size / taken}
        return {"model": model, "kind": kind, "way": way, **figures}


def training_step(model: str, kind: str, way: str, batch_size: int, device: str) -> Callable[[], object]:
    network: Any = twin(ours.build(model)).to(device)
    images, labels = (torch.from_numpy(array).to(device) for array in batch(model, batch_size))
    if way != "eager":
        network, images = (value.to(memory_format=torch.channels_last) for value in (network, images))
    if way in ("compile", "reduce-overhead"):
        network = torch.compile(network, mode="default" if way == "compile" else way)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    rounding = torch.autocast(device, torch.bfloat16) if kind == "bf16" else nullcontext()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with rounding:
            loss = F.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()

    return captured(step) if way == "graph" else step


def captured(step: Callable[[], object]) -> Callable[[], object]:
    """The step as one CUDA graph, after a warm-up on a side stream, as torch's notes on CUDA graphs ask for."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def seconds(step: Callable[[], object], repeats: int, device: str, rounds: int = 3) -> float:
    """Like clock.step_seconds, with torch's events."""
    from time import perf_counter

    for _ in range(WARM_UP):
        step()
    best = float("inf")
    for _ in range(rounds):
        if device == "cpu":
            started = perf_counter()
            for _ in range(repeats):
                step()
            best = min(best, (perf_counter() - started) / repeats)
            continue
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            step()
        end.record()
        end.synchronize()
        best = min(best, begin.elapsed_time(end) / 1e3 / repeats)
    return best
