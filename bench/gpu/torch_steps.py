"""The same network and the same step in torch, on the same GPU, in all the ways that are known to make it fast.

bf16           autocast, as in torch's own examples
tf32           torch.backends' allow_tf32
float32        neither

graph+compile    loss and gradients by torch.compile, and the step captured as one CUDA graph
graph            the step captured as one CUDA graph
reduce-overhead  torch.compile with CUDA graphs of its own
compile          torch.compile
channels_last    plain torch code
eager            the same, with images NCHW

In all but the last, images and weights are NHWC in memory. SGD is one fused kernel, cuDNN tries out its kernels first,
and the batch is on the GPU and always the same; tinyres' captured step makes its own. The likely best come first.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch
from torch.nn import functional as F

from bench.torch_twin import twin
from tinyres import models as ours
from tinyres.app.bench.step import batch
from tinyres.app.bench.stopwatch import WARM_UP

KINDS = ("bf16", "tf32", "float32")
WAYS = ("graph+compile", "graph", "reduce-overhead", "compile", "channels_last", "eager")
MODES = {"graph+compile": "default", "compile": "default", "reduce-overhead": "reduce-overhead"}  # of torch.compile

Step = Callable[[], torch.Tensor]  # returns the loss


class Section:
    """repeats: as for training.Section. device: "cpu" is for tests on machines without a GPU."""

    def __init__(self, models: list[str], batch_size: int, repeats: int, device: str = "cuda") -> None:
        self.batch_size, self.steps, self.device = batch_size, 10 * repeats, device
        self.labels = [f"{model} {kind} {way}" for way in WAYS for model in models for kind in KINDS]

    def measure(self, label: str) -> dict[str, object]:
        """Like training.Section.measure, and "prepared_s", the seconds before the first step that is timed, and "loss",
        which shows that the steps learn their batch."""
        model, kind, way = label.split()
        torch.compiler.reset()  # nothing of the item before
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = kind == "tf32"
        torch.backends.cudnn.benchmark = True
        begun = perf_counter()
        step = training_step(model, kind, way, self.batch_size, self.device)
        for _ in range(WARM_UP):
            step().item()
        prepared = perf_counter() - begun
        taken = seconds(step, self.steps, self.device)
        figures = {"ms": 1e3 * taken, "images_per_second": self.batch_size / taken}
        return {"model": model, "kind": kind, "way": way, **figures, "prepared_s": prepared, "loss": step().item()}


def training_step(model: str, kind: str, way: str, batch_size: int, device: str) -> Step:
    network: Any = twin(ours.build(model)).to(device)
    images, labels = (torch.from_numpy(array).to(device) for array in batch(model, batch_size))
    if way != "eager":
        network, images = (value.to(memory_format=torch.channels_last) for value in (network, images))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, fused=True)

    def loss_of(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=kind == "bf16"):
            return F.cross_entropy(network(images), labels)

    computed = torch.compile(loss_of, mode=MODES[way]) if way in MODES else loss_of

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = computed(images, labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return captured(step) if way.startswith("graph") else step


def captured(step: Step) -> Step:
    """The step as one CUDA graph, after a warm-up on a side stream, as torch's notes on CUDA graphs ask for."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=aside):
        loss = step()

    def replay() -> torch.Tensor:
        graph.replay()
        return loss

    return replay


def seconds(step: Step, repeats: int, device: str, rounds: int = 3) -> float:
    """The time of one step: the best of `rounds`, as clock.step_seconds has it. The GPU has done all when it ends."""

    def now() -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        return perf_counter()

    best = float("inf")
    for _ in range(rounds):
        begun = now()
        for _ in range(repeats):
            step()
        best = min(best, (now() - begun) / repeats)
    return best
