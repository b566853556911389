"""The same network in torch, layer for layer, and the same step: compare.py runs it beside tinyres.

It runs in a process of its own: `python -m bench.torch_twin '{"model": "resnet20", …}'` prints JSON. This file and
torch_modules.py import torch, so compare.py starts them by name and imports neither.

    eager          plain torch code, images NCHW
    channels_last  images and weights NHWC in memory
    compile        torch.compile, which writes C++ and needs a compiler for it
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from bench.torch_modules import part
from tinyres import models
from tinyres.app.bench.step import batch
from tinyres.app.bench.stopwatch import peak_memory, seconds


def twin(model: Any) -> nn.Module:
    """The torch network of the same layers, with the same weights."""
    module = part(model)
    module.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in model.state_dict().items()})
    return module


def measure(model: str, mode: str, batch_size: int, repeats: int, forward_only: bool = False) -> dict[str, Any]:
    """Like tinyres.app.bench.step.measure, for one mode of torch."""
    network: Any = twin(models.build(model))
    images, labels = (torch.from_numpy(array) for array in batch(model, batch_size))
    if mode == "channels_last":
        network, images = (value.to(memory_format=torch.channels_last) for value in (network, images))
    if mode == "compile":
        network = torch.compile(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        loss = F.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()

    def forward() -> None:
        with torch.no_grad():
            network(images)

    measured: dict[str, Any] = {}
    if not forward_only:
        measured["step"] = seconds(step, repeats)
        measured["memory"] = peak_memory()
    network.eval()
    measured["forward"] = seconds(forward, repeats)
    measured.setdefault("memory", peak_memory())
    return measured


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    torch.set_num_threads(job.pop("threads"))
    print(json.dumps(measure(**job)))
