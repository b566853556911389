"""Every module of tinyres.models and tinyres.nn in torch, made from one of ours: `part(original)`.

MAKE, at the end, names the torch module for each kind of ours.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F


class Twin(nn.Module):
    """A torch module that holds a twin of every child of the original, under the same name."""

    def __init__(self, original: Any):
        super().__init__()
        for name, child in original.named_children():
            self.add_module(name, part(child))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...  # a child, which can be called


class Block(Twin):
    """BasicBlock, Bottleneck or PlainBlock, by what the original has: two or three convolutions, a shortcut or not."""

    def __init__(self, original: Any):
        super().__init__(original)
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


class ZeroPadding(nn.Module):
    """Shortcut A where the shape changes."""

    def __init__(self, original: Any):
        super().__init__()
        self.extra, self.stride = original.extra, original.stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


class ResNet(Twin):
    """ResNet, and ImageNetResNet with its max-pool."""

    def __init__(self, original: Any):
        super().__init__(original)
        self.stages = [name for name, _ in original.named_children() if name.startswith("layer")]
        self.pools = type(original).__name__ == "ImageNetResNet"

    def stem(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        return F.max_pool2d(x, 3, stride=2, padding=1) if self.pools else x

    def outputs(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The output of each stage."""
        x = self.stem(x)
        return [x := getattr(self, name)(x) for name in self.stages]

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.outputs(x)[-1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


class PreActBlock(Twin):
    """PreActBlock or PreActBottleneck: batch norm and ReLU come first, and nothing after the addition."""

    def __init__(self, original: Any):
        super().__init__(original)
        self.depth = 3 if hasattr(original, "conv3") else 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        active = F.relu(self.bn1(x))
        out = self.conv2(F.relu(self.bn2(self.conv1(active))))
        if self.depth == 3:
            out = self.conv3(F.relu(self.bn3(out)))
        return out + self.downsample(active if isinstance(self.downsample, nn.Conv2d) else x)


class PreActResNet(ResNet):
    def features(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn(super().features(x)))


class Highway(Twin):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        T = self.gate(x)
        return self.transform(x) * T + x * (1 - T)


class HighwayNet(ResNet):
    def stem(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv1(x)  # a PlainLayer, with its own batch norm and ReLU


class DenseBlock(Twin):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.children():
            x = torch.cat([x, layer(x)], 1)
        return x


class DenseNet(Twin):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(F.adaptive_avg_pool2d(F.relu(self.features(x)), 1).flatten(1))


class FeaturePyramid(Twin):
    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        merged = [lateral(C) for lateral, C in zip(self.inner_blocks, maps, strict=True)]
        for l in reversed(range(len(maps) - 1)):
            merged[l] = merged[l] + F.interpolate(merged[l + 1], size=merged[l].shape[2:])
        return [smooth(M) for smooth, M in zip(self.layer_blocks, merged, strict=True)]


class ResNetFPN(Twin):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return self.fpn(self.body.outputs(x))


class PyramidClassifier(Twin):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = [head(P).mean((2, 3)) for head, P in zip(self.heads, self.backbone(x), strict=True)]
        return self.fc(torch.stack(means).mean(0))


def in_order(original: Any) -> nn.Module:
    return nn.Sequential(OrderedDict((name, part(child)) for name, child in original.named_children()))


def pre_activated(original: Any) -> nn.Module:
    """The children in order, and a ReLU after each batch norm."""
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for name, child in original.named_children():
        modules[name] = part(child)
        if isinstance(modules[name], nn.BatchNorm2d):
            modules[f"{name}_relu"] = nn.ReLU()
    return nn.Sequential(modules)


class ConvNormReLU(Twin):
    """VGG's ConvNormReLU, GoogLeNet's BasicConv2d and HighwayNet's PlainLayer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn(self.conv(x)))


class Inception(Twin):
    """GoogLeNet's branches, side by side."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.children()], 1)


def max_pool(original: Any) -> nn.Module:
    windows = original.kernel_size, original.stride, original.padding
    return nn.MaxPool2d(*windows, ceil_mode=original.ceil_mode)


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
    "PreActResNet": PreActResNet,
    "PreActBlock": PreActBlock,
    "PreActBottleneck": PreActBlock,
    "HighwayNet": HighwayNet,
    "Highway": Highway,
    "PlainLayer": ConvNormReLU,
    "DenseNet": DenseNet,
    "DenseBlock": DenseBlock,
    "DenseLayer": pre_activated,
    "Transition": pre_activated,
    "PyramidClassifier": PyramidClassifier,
    "ResNetFPN": ResNetFPN,
    "FeaturePyramid": FeaturePyramid,
    "AlexNet": in_order,
    "VGG": in_order,
    "CifarVGG": in_order,
    "ConvNormReLU": ConvNormReLU,
    "GoogLeNet": in_order,
    "Inception": Inception,
    "BasicConv2d": ConvNormReLU,
    "NIN": in_order,
    "ModuleList": lambda original: nn.ModuleList(map(part, original)),
    "Sequential": in_order,
    "Identity": lambda original: nn.Identity(),
    "Conv2d": convolution,
    "BatchNorm2d": lambda original: nn.BatchNorm2d(original.num_features, original.eps),
    "ReLU": lambda original: nn.ReLU(),
    "Sigmoid": lambda original: nn.Sigmoid(),
    "MaxPool2d": max_pool,
    "AvgPool2d": lambda original: nn.AvgPool2d(original.kernel_size),
    "AdaptiveAvgPool2d": lambda original: nn.AdaptiveAvgPool2d(original.output_size),
    "Dropout": lambda original: nn.Dropout(original.p),
    "Flatten": lambda original: nn.Flatten(),
    "Linear": lambda original: nn.Linear(original.in_features, original.out_features),
}


def part(original: Any) -> nn.Module:
    """torch's module for one of ours. NotImplementedError: its kind has none in MAKE."""
    kind = type(original).__name__
    if kind not in MAKE:
        raise NotImplementedError(f"no twin in torch for {kind}; add one to MAKE")
    return MAKE[kind](original)
