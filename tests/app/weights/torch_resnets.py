"""ResNets of the papers in plain torch. The names of their layers can be chosen, as in published files."""

import torch
from torch import nn
from torch.nn import functional as F

TORCHVISION = {"conv1": "conv1", "bn1": "bn1", "shortcut": "downsample", "fc": "fc"}


class Block(nn.Module):
    """Two 3×3 convolutions, or with `bottleneck` a 1×1, a 3×3 with the stride, and a 1×1 to four times the channels."""

    def __init__(self, channels, width, stride, bottleneck, names, option, before):
        super().__init__()
        out = 4 * width if bottleneck else width
        if bottleneck:
            sizes = [(channels, width, 1, 1), (width, width, 3, stride), (width, out, 1, 1)]
        else:
            sizes = [(channels, width, 3, stride), (width, width, 3, 1)]
        self.parts = []
        for k, (a, b, size, step) in enumerate(sizes, start=1):
            self.add_module(f"conv{k}", nn.Conv2d(a, b, size, step, size // 2, bias=False))
            self.add_module(f"bn{k}", nn.BatchNorm2d(b))
            self.parts.append((f"conv{k}", f"bn{k}"))
        self.way, self.stride, self.before, self.new = names["shortcut"], stride, before, out - channels
        same = stride == 1 and channels == out
        if not same and option == "B":
            projection = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
            self.add_module(self.way, projection)

    def forward(self, x):
        out = x
        for k, (conv, bn) in enumerate(self.parts):
            out = getattr(self, bn)(getattr(self, conv)(out))
            out = F.relu(out) if k < len(self.parts) - 1 else out
        if hasattr(self, self.way):
            x = getattr(self, self.way)(x)
        elif self.new or self.stride > 1:
            before = int(self.new * self.before)
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.new - before))
        return F.relu(out + x)


class ResNet(nn.Module):
    """widths: of the stages. imagenet: 7×7 and a max-pool first. before: the fraction of option A's zeros before."""

    def __init__(
        self, counts, widths, num_classes, bottleneck=False, imagenet=False, names=TORCHVISION, option="B", before=0.0
    ):
        super().__init__()
        self.names, self.imagenet, self.stages = names, imagenet, len(counts)
        first = nn.Conv2d(3, widths[0], 7 if imagenet else 3, 2 if imagenet else 1, 3 if imagenet else 1, bias=False)
        self.add_module(names["conv1"], first)
        self.add_module(names["bn1"], nn.BatchNorm2d(widths[0]))
        channels = widths[0]
        for k, (count, width) in enumerate(zip(counts, widths, strict=True), start=1):
            stage = []
            for i in range(count):
                stride = 2 if k > 1 and i == 0 else 1
                stage.append(Block(channels, width, stride, bottleneck, names, option, before))
                channels = 4 * width if bottleneck else width
            self.add_module(f"layer{k}", nn.Sequential(*stage))
        self.add_module(names["fc"], nn.Linear(channels, num_classes))

    def forward(self, x):
        x = F.relu(getattr(self, self.names["bn1"])(getattr(self, self.names["conv1"])(x)))
        x = F.max_pool2d(x, 3, 2, 1) if self.imagenet else x
        for k in range(1, self.stages + 1):
            x = getattr(self, f"layer{k}")(x)
        return getattr(self, self.names["fc"])(x.mean((2, 3)))


def randomised(model):
    """The model with torch's random weights, and batch norms whose numbers are not the initial ones."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                for values, low, high in (
                    (module.weight, 0.5, 1.5),
                    (module.bias, -0.3, 0.3),
                    (module.running_mean, -0.3, 0.3),
                    (module.running_var, 0.5, 1.5),
                ):
                    values.copy_(low + (high - low) * torch.rand(values.shape, generator=generator))
                module.num_batches_tracked.fill_(7)
    return model.eval()
