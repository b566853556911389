"""A model's layers, their output shapes, parameters and multiply-adds."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from tinyres.autograd import Op, Tensor
from tinyres.modes import Observer, no_grad, observe
from tinyres.nn import Module

# What the papers say. ResNets: He et al. 2016a: Table 1 for multiply-adds, Table 6 for parameters, section 4.1 for
# VGG-19. The others: He et al. 2016b, appendix; Srivastava et al. 2015, sec. 3.2; Huang et al. 2017, Table 2.
PAPER = {
    "resnet18": "1.8 G multiply-adds",
    "resnet34": "3.6 G multiply-adds; its Fig. 3 has option A, ours B's projections",
    "resnet50": "3.8 G multiply-adds; its stride is on the first 1×1 of a block, ours as torchvision's on the 3×3",
    "resnet101": "7.6 G multiply-adds; its stride is on the first 1×1 of a block, ours as torchvision's on the 3×3",
    "resnet152": "11.3 G multiply-adds; its stride is on the first 1×1 of a block, ours as torchvision's on the 3×3",
    "plain18": "1.8 G multiply-adds",
    "plain34": "3.6 G multiply-adds",
    "resnet20": "0.27 M parameters",
    "resnet32": "0.46 M parameters",
    "resnet44": "0.66 M parameters",
    "resnet56": "0.85 M parameters",
    "resnet110": "1.7 M parameters",
    "resnet1202": "19.4 M parameters",
    "vgg16": "15.3 G multiply-adds, without the 0.12 G of the linear layers",
    "vgg19": "19.6 G multiply-adds",
    "vgg16_cifar": "313 M multiply-adds (Li et al. 2017, Table 1, for two linear layers, 0.3 M more)",
    "alexnet": "60 M parameters (Krizhevsky et al. 2012, for the net of two towers)",
    "googlenet": "1.5 G multiply-adds (Szegedy et al. 2015, with 5×5 where we have 3×3, and less in the first layer)",
    "preactresnet164": "roughly as many parameters as ResNet-110, which has 1.7 M",
    "highway20": "2.3 M parameters for its 19 layers, which have FitNet 4's widths; ours have ResNet-20's",
    "densenet_bc100": "0.8 M parameters",
}


class Layer(NamedTuple):
    """A row of the table. name: the path in the model, such as layer1.0.conv1."""

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int


class MultiplyAdds(Observer):
    """Counts the multiply-adds of convolutions and linear layers only, as the papers do."""

    def __init__(self) -> None:
        self.total = 0

    def applied(self, op: Op, y: Tensor) -> None:
        if op.name in ("Conv2d", "Linear"):
            weight = op.inputs[1].shape  # (O, C, KH, KW) or (O, I): each output is a sum over all axes but the first
            self.total += prod(y.shape) * prod(weight[1:])


def count_parameters(model: Module) -> int:
    """The number of trainable numbers."""
    return sum(parameter.numel() for parameter in model.parameters())


def layers(model: Module, input_shape: tuple[int, ...]) -> list[Layer]:
    """A row for every innermost module, in the order in which an image (C, H, W) passes through them."""
    rows: list[Layer] = []
    counter = MultiplyAdds()
    names = {module: name for name, module in model.named_modules()}

    def after_forward(module: Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        name, kind = names[module], type(module).__name__
        before = sum(row.multiply_adds for row in rows)
        parameters = 0 if any(row.name == name for row in rows) else count_parameters(module)  # run again: counts once
        rows.append(Layer(name, kind, output.shape[1:], parameters, counter.total - before))

    innermost = [module for module in model.modules() if not any(True for _ in module.children())]
    hooks = [module.register_forward_hook(after_forward) for module in innermost]
    training = {module: module.training for module in model.modules()}  # of each module: some may be frozen
    image = np.zeros((1, *input_shape), next((p.dtype for p in model.parameters()), np.float32))
    try:
        with no_grad(), observe(counter):
            model.eval()
            model(Tensor(image))
    finally:
        for module, mode in training.items():
            module.training = mode
        for hook in hooks:
            hook.remove()
    return rows


def summary(model: Module, input_shape: tuple[int, ...], name: str | None = None) -> str:
    """The table of the model's layers as text; consecutive equal blocks are folded into one."""
    rows = layers(model, input_shape)
    lines = [("layer", "", "output", "parameters", "multiply-adds")]
    for row in folded(rows):
        output = "×".join(map(str, row.output))
        lines.append((row.name, row.kind, output, f"{row.parameters:,}", f"{row.multiply_adds:,}"))
    widths = [max(len(line[k]) for line in lines) for k in range(5)]
    text = [
        f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}  {e:>{widths[4]}}".rstrip()
        for a, b, c, d, e in lines
    ]
    text.insert(1, "─" * (sum(widths) + 8))
    text.append(text[1])
    size = "×".join(map(str, input_shape))
    text.append(f"parameters      {count_parameters(model):,}")
    text.append(f"multiply-adds   {sum(row.multiply_adds for row in rows):,} for one image of {size}")
    if name in PAPER:
        text.append(f"the paper says  {PAPER[name]}")
    return "\n".join(text)


def folded(rows: list[Layer]) -> list[Layer]:
    """The rows, with consecutive equal blocks shown once: layer1.0 to layer1.8 as layer1.[0-8]."""
    blocks: dict[str, list[Layer]] = {}
    for row in rows:
        parts = row.name.split(".")
        end = next((k + 1 for k, part in enumerate(parts) if k > 0 and part.isdigit()), len(parts))
        blocks.setdefault(".".join(parts[:end]), []).append(row)
    runs: list[list[str]] = []  # the paths of equal blocks
    for path, block in blocks.items():
        if runs and len(block) > 1 and _content(runs[-1][0], blocks[runs[-1][0]]) == _content(path, block):
            runs[-1].append(path)
        else:
            runs.append([path])
    return [row._replace(name=row.name.replace(run[0], _range(run), 1)) for run in runs for row in blocks[run[0]]]


def _range(run: list[str]) -> str:
    """layer1.0, layer1.1, layer1.2 -> layer1.[0-2]"""
    stage, _, first = run[0].rpartition(".")
    return run[0] if len(run) == 1 else f"{stage}.[{first}-{run[-1].rpartition('.')[2]}]"


def _content(path: str, block: list[Layer]) -> list[Layer]:
    """A block's rows without its own path; blocks fold if these are equal."""
    return [row._replace(name=row.name.removeprefix(path)) for row in block]
