"""Three computations to step through: `tinyres step EXAMPLE`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyres.autograd import Tensor
from tinyres.creation import randn
from tinyres.look.viz.stepper import Recording, stepper
from tinyres.models import resnet20 as make_resnet20
from tinyres.models.resnet import BasicBlock
from tinyres.nn import functional as F
from tinyres.random import manual_seed


def chain() -> Recording:
    """a₁ = s(w₁·x), a₂ = s(w₂·a₁ + a₁), a₃ = s(w₃·a₂), C = (a₃ − t)²/2: single numbers, to check by hand."""
    x, t = Tensor(np.float64(1.0)), Tensor(np.float64(0.0))
    ws = [Tensor(np.float64(w), requires_grad=True) for w in (0.5, -0.8, 1.2)]

    def step() -> Tensor:
        a1 = F.sigmoid(ws[0] * x)
        a2 = F.sigmoid(ws[1] * a1 + a1)
        a3 = F.sigmoid(ws[2] * a2)
        return 0.5 * (a3 - t) ** 2

    names = {"x": x, "t": t, "w₁": ws[0], "w₂": ws[1], "w₃": ws[2]}
    return stepper(step, "A chain of sigmoids, with one residual connection", names)


def block() -> Recording:
    """relu(F(x) + x), with the mean of its squares as the loss."""
    manual_seed(0)
    x = randn(2, 4, 8, 8, requires_grad=True)
    model = BasicBlock(4, 4, 1, "A")
    return stepper(lambda: (model(x) ** 2).mean(), "A residual block", {"x": x})


def resnet20() -> Recording:
    """A training step of the paper's ResNet-20 on two images of noise."""
    manual_seed(0)
    model, images, labels = make_resnet20(), randn(2, 3, 32, 32), Tensor(np.array([3, 7]))
    names = {"images": images, "labels": labels}
    return stepper(lambda: F.cross_entropy(model(images), labels), "A training step of ResNet-20", names)


EXAMPLES: dict[str, Callable[[], Recording]] = {"chain": chain, "block": block, "resnet20": resnet20}
