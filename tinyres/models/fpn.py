"""Feature pyramids, as in "Feature Pyramid Networks for Object Detection" (Lin et al., CVPR 2017).

On its way up, a network knows more and more about what is in the image and less and less about where: its last map
means most and is smallest. A pyramid goes back down and adds across resolutions, so that every map knows what the last
one knows (Fig. 3). The addition is the residual network's, between maps of different size.

    image                             each P_l = smooth(M_l), a 3×3 convolution
      │
    stage ─ C2 ── lateral 1×1 ──(+)── M2 ── P2
      │                          ↑ ×2, every value repeated
    stage ─ C3 ── lateral 1×1 ──(+)── M3 ── P3
      │                          ↑ ×2
    stage ─ C4 ── lateral 1×1 ─────── M4 ── P4

P_l has a stride of 2ˡ against the image, so a ResNet for ImageNet has P2 to P5, one for CIFAR P0 to P2.
Names are torchvision's: body.…, fpn.inner_blocks.0.0.weight, fpn.layer_blocks.0.0.weight.
"""

from collections.abc import Sequence

from tinyres.autograd import Tensor
from tinyres.models.resnet import ResNet, he_initialise, resnet20
from tinyres.models.resnet_imagenet import resnet50
from tinyres.nn import BatchNorm2d, Conv2d, Identity, Linear, Module, ModuleList, ReLU, Sequential, init
from tinyres.nn import functional as F


class FeaturePyramid(Module):
    """Maps of several sizes -> as many maps of the same sizes, each with `width` channels (sec. 3, "Top-down pathway").

    channels: of each map, the finest first. No ReLU anywhere: "no non-linearities in these extra layers".
    Weights start evenly from ±√(3/fan_in), biases at 0. The paper does not say; its authors' code (Detectron) does so.
    """

    def __init__(self, channels: Sequence[int], width: int):
        super().__init__()
        self.inner_blocks = ModuleList(Sequential(Conv2d(c, width, 1)) for c in channels)
        self.layer_blocks = ModuleList(Sequential(Conv2d(width, width, 3, padding=1)) for _ in channels)
        self.apply(pyramid_initialise)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """maps: the finest first, as are the results."""
        if len(maps) != len(self.inner_blocks):
            raise ValueError(
                f"FeaturePyramid: expected {len(self.inner_blocks)} maps, the finest first, got {len(maps)}"
            )
        laterals = [lateral(C) for lateral, C in zip(self.inner_blocks, maps, strict=True)]
        merged = laterals[-1:]  # the coarsest starts
        for lateral in reversed(laterals[:-1]):
            above = F.interpolate(merged[0], size=lateral.shape[2:])  # by 2; an odd size cuts the last repetition
            merged.insert(0, lateral + above)
        return tuple(smooth(M) for smooth, M in zip(self.layer_blocks, merged, strict=True))


def pyramid_initialise(module: Module) -> None:
    if isinstance(module, Conv2d):
        init.kaiming_uniform_(module.weight, a=1)
    if isinstance(module, Conv2d) and module.bias is not None:
        init.zeros_(module.bias)


class ResNetFPN(Module):
    """A ResNet without its classifier, and a pyramid upon the outputs of its stages.

    images (N, 3, H, W) -> one map a stage, the finest first, each (N, width, H/2ˡ, W/2ˡ)

    channels: of each stage's output.
    """

    def __init__(self, body: ResNet, channels: Sequence[int], width: int):
        super().__init__()
        body.add_module("fc", Identity())  # no weights that nothing reads
        self.body = body
        self.fpn = FeaturePyramid(channels, width)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.body.stem(x)
        maps = []
        for stage in self.body.stages():
            x = stage(x)
            maps.append(x)
        return self.fpn(maps)


class PyramidClassifier(Module):
    """One score for each class from all levels: something to train a pyramid on without boxes to predict.

    Not in the paper, which detects. On each level a 3×3 convolution, batch norm and ReLU; then each channel's average,
    over positions and levels, and a linear layer. (The paper's head is one for all levels, without batch norm. Such a
    one learnt nothing from Shapes in 140 steps at the learning rate of ResNets; with batch norm, whose statistics need
    a head for each level, 39 % were right.)
    """

    def __init__(self, backbone: ResNetFPN, levels: int, width: int, num_classes: int):
        super().__init__()
        self.backbone = backbone
        convolutions = [Conv2d(width, width, 3, padding=1, bias=False) for _ in range(levels)]
        self.heads = ModuleList(Sequential(conv, BatchNorm2d(width), ReLU()) for conv in convolutions)
        self.fc = Linear(width, num_classes)
        self.heads.apply(he_initialise)
        he_initialise(self.fc)

    def forward(self, x: Tensor) -> Tensor:
        outputs = [head(P) for head, P in zip(self.heads, self.backbone(x), strict=True)]
        means = [F.adaptive_avg_pool2d(y, 1).flatten(1) for y in outputs]  # each (N, width)
        return self.fc(sum(means[1:], means[0]) / len(means))  # (N, num_classes)


def resnet20_fpn(num_classes: int = 10, shortcut: str = "A") -> PyramidClassifier:
    """For 32×32 images: ResNet-20's three stages, 16, 32 and 64 channels, and 32 in the pyramid."""
    backbone = ResNetFPN(resnet20(shortcut=shortcut), (16, 32, 64), 32)
    return PyramidClassifier(backbone, 3, 32, num_classes)


def resnet50_fpn() -> ResNetFPN:
    """The paper's: P2 to P5 with 256 channels each, upon ResNet-50. It returns maps; no classifier follows."""
    return ResNetFPN(resnet50(), (256, 512, 1024, 2048), 256)
