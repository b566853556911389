"""The same network in torch, layer for layer, and the same step: what tinyres is compared with.

Run by itself, in a process of its own: `python -m tinyres.bench.torch_twin '{"model": "resnet20", …}'` prints JSON.
The only file here that imports torch; nothing imports this one.

    eager          as one writes it, images NCHW
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

from tinyres import models
from tinyres.bench.step import batch
from tinyres.bench.stopwatch import peak_memory, seconds


class Block(nn.Module):
    """BasicBlock, Bottleneck or PlainBlock, by what the original has: two or three convolutions, a shortcut or not."""

    conv1: nn.Module
    conv2: nn.Module
    conv3: nn.Module
    bn1: nn.Module
    bn2: nn.Module
    bn3: nn.Module
    downsample: nn.Module

    def __init__(self, original: Any):
        super().__init__()
        take_over(self, original)
        self.depth = 3 if hasattr(original, "conv3") else 2
        self.is_residual = hasattr(original, "downsample")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.depth == 3:
            out = self.bn3(self.conv3(F.relu(out)))
        if self.is_residual:
            out += self.downsample(x)
        return F.relu(out)


class PreActBlock(nn.Module):
    """PreActBlock or PreActBottleneck: batch norm and ReLU come first, and nothing after the addition."""

    downsample: nn.Module

    def __init__(self, original: Any):
        super().__init__()
        take_over(self, original)
        self.depth = 3 if hasattr(original, "conv3") else 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = active = F.relu(self.get_submodule("bn1")(x))
        for k in range(1, self.depth + 1):
            out = out if k == 1 else F.relu(self.get_submodule(f"bn{k}")(out))
            out = self.get_submodule(f"conv{k}")(out)
        return out + self.downsample(active if isinstance(self.downsample, nn.Conv2d) else x)


class Highway(nn.Module):
    transform: nn.Module
    gate: nn.Module

    def __init__(self, original: Any):
        super().__init__()
        take_over(self, original)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.lerp(F.relu(self.transform(x)), self.gate(x))


class DenseBlock(nn.Module):
    def __init__(self, original: Any):
        super().__init__()
        take_over(self, original)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.children():
            x = torch.cat([x, layer(x)], 1)
        return x


class ZeroPadding(nn.Module):
    """Shortcut A where the shape changes."""

    def __init__(self, original: Any):
        super().__init__()
        self.extra, self.stride = original.extra, original.stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


class ResNet(nn.Module):
    """ResNet, and ImageNetResNet with its max-pool."""

    conv1: nn.Module
    bn1: nn.Module
    fc: nn.Module

    def __init__(self, original: Any):
        super().__init__()
        take_over(self, original)
        self.stages = [name for name, _ in original.named_children() if name.startswith("layer")]
        self.pools = type(original).__name__ == "ImageNetResNet"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        if self.pools:
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        for name in self.stages:
            x = getattr(self, name)(x)
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


def convolution(original: Any) -> nn.Module:
    settings = original.kernel_size, original.stride, original.padding
    return nn.Conv2d(original.in_channels, original.out_channels, *settings, bias=original.bias is not None)


MAKE: dict[str, Any] = {
    "ResNet": ResNet,
    "ImageNetResNet": ResNet,
    "BasicBlock": Block,
    "Bottleneck": Block,
    "PlainBlock": Block,
    "ZeroPadding": ZeroPadding,
    "Sequential": lambda original: nn.Sequential(*map(part, original.children())),
    "Identity": lambda original: nn.Identity(),
    "Conv2d": convolution,
    "BatchNorm2d": lambda original: nn.BatchNorm2d(original.num_features),
    "Linear": lambda original: nn.Linear(original.in_features, original.out_features),
}


def part(original: Any) -> nn.Module:
    """torch's module for one of ours. NotImplementedError: its kind has none in MAKE."""
    kind = type(original).__name__
    if kind not in MAKE:
        raise NotImplementedError(f"no twin in torch for {kind}; add one to MAKE")
    return MAKE[kind](original)


def take_over(module: nn.Module, original: Any) -> None:
    """Give module a twin of every child of original, under the same name."""
    for name, child in original.named_children():
        module.add_module(name, part(child))


def twin(model: Any) -> nn.Module:
    """The torch network of the same layers, with the same weights."""
    module = part(model)
    module.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in model.state_dict().items()})
    return module


def measure(model: str, mode: str, batch_size: int, repeats: int, forward_only: bool = False) -> dict[str, Any]:
    """As tinyres.bench.step.measure, for one mode of torch."""
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
