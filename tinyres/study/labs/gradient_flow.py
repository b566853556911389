"""Gradient flow: the gradient that reaches each layer, with and without additions, batch norm and good initial weights.

Claim. Without batch norm, small initial weights let the gradient vanish on its way back through a plain net, layer by
layer. Xavier's weights lose a factor of √2 a layer to the ReLUs, and He's keep its size. Batch norm keeps it healthy in
plain nets too, whatever the initial size: so deep plain nets are *not* worse because of vanishing gradients (see the
lab `degradation`). Additions carry the gradient past the layers.

    bad: N(0, 0.01²)        Xavier: N(0, 2/(fan_in + fan_out))        He: N(0, 2/fan_in)

Source. Glorot & Bengio 2010; He et al. 2015, section 2.2; Ioffe & Szegedy 2015; He et al. 2016a, section 4.1 ("we also
verify that the backward propagated gradients exhibit healthy norms").

Measured at the start of training: the norm of the gradient of the loss with respect to the *output* of each
convolution, on one batch, as the geometric mean over the seeds. f is the first layer's norm divided by the last
layer's.

Reproduced if, at 44 layers: without batch norm, a plain net with bad weights has f < 1e-6, and one with He's has f
within a factor of 100 of 1; with batch norm, the plain net's f is within a factor of 100 of 1 for each of the three;
and without batch norm, the residual net with bad weights has an f at least 1,000 times that of its plain twin.

The condition on batch norm is ill-posed, and fails. "Healthy" was said of nets in training. At the start, batch norm
makes the gradient of a plain ReLU net *grow* on its way back, whatever the weights: in wide nets by √(π/(π−1)) = 1.21 a
layer (Yang et al. 2019, "A mean field theory of batch normalization"). From the last of 43 convolutions to the first
that is a factor of 3,100; the verdict gives the factor found here. So the gradient does not vanish, it explodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.data import Loader, channel_statistics
from tinyres.nn import BatchNorm2d, Conv2d, Identity, Module, init
from tinyres.nn import functional as F
from tinyres.nn.fused import unfused
from tinyres.study.labs.drawing import BLUE, GREEN, VERMILION, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.twins import KINDS, twin
from tinyres.study.labs.workbench import Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "gradient norms by layer: plain, residual, batch norm, initialisation"
MINUTES = 1.0

VANISHED, HEALTHY, HELPED, BATCH = 1e-6, 100.0, 1000.0, 64
WEIGHTS: dict[str, Callable[[Tensor], Any]] = {
    "bad": partial(init.normal_, std=0.01),
    "Xavier": init.xavier_normal_,
    "He": partial(init.kaiming_normal_, nonlinearity="relu"),
}
COLOURS = {"bad": VERMILION, "Xavier": GREEN, "He": BLUE}
NORMS = {"without batch norm": False, "with batch norm": True}


def network(kind: str, depth: int, with_norm: bool, weights: str, classes: int, seed: int) -> Module:
    """A twin whose convolutions start with these weights; with_norm=False replaces each batch norm by an Identity."""
    model = twin(kind, depth, classes, seed)
    for path, module in list(model.named_modules()):
        if isinstance(module, Conv2d):
            WEIGHTS[weights](module.weight)
        if isinstance(module, BatchNorm2d) and not with_norm:
            model.set_submodule(path, Identity())
    return model


def norms(model: Module, x: np.ndarray, labels: np.ndarray) -> list[float]:
    """|∂C/∂y| for the output y of every convolution, the first layer first."""
    outputs: list[Tensor] = []

    def keep(module: Module, inputs: Sequence[Tensor], y: Tensor) -> None:
        y.retain_grad()
        outputs.append(y)

    for module in model.modules():
        if isinstance(module, Conv2d):
            module.register_forward_hook(keep)
    with unfused(), np.errstate(over="ignore", invalid="ignore"):
        F.cross_entropy(model(Tensor(x)), labels).backward()
    return [float(np.linalg.norm(y.grad)) for y in outputs if y.grad is not None]


def compute(bench: Workbench) -> Results:
    depth, seeds = bench.choose(44, 110), bench.seeds(3, 10)
    train, _ = bench.load((BATCH * 4, 1), (BATCH * 4, 1), half=False)
    mean, std = channel_statistics(train)
    x, labels = next(Loader(train, BATCH, mean=mean, std=std, dtype="float64").epoch(0))

    def measure(kind: str, with_norm: bool, weights: str) -> list[list[float]]:
        nets = (network(kind, depth, with_norm, weights, len(train.classes), seed).double() for seed in seeds)
        return [norms(net, x, labels) for net in nets]

    return {
        "depth": depth,
        "norms": {
            kind: {
                norm: {
                    weights: bench.part(f"{kind} {norm} {weights}", partial(measure, kind, with_norm, weights))
                    for weights in WEIGHTS
                }
                for norm, with_norm in NORMS.items()
            }
            for kind in KINDS
        },
    }


def first_over_last(every: Sequence[Sequence[float]]) -> float:
    """f: the geometric mean over the seeds."""
    return float(np.exp(np.mean([np.log(one[0]) - np.log(one[-1]) for one in every])))


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = [
        [kind, norm, *(f"{first_over_last(every):.2g}" for every in by_weights.values())]
        for kind, by_norm in results["norms"].items()
        for norm, by_weights in by_norm.items()
    ]
    return ("first layer's over last layer's", "", *WEIGHTS), rows


def verdict(results: Results) -> Verdict:
    f = {
        (kind, norm, weights): first_over_last(every)
        for kind, by_norm in results["norms"].items()
        for norm, by_weights in by_norm.items()
        for weights, every in by_weights.items()
    }
    vanished, kept = f["plain", "without batch norm", "bad"], f["plain", "without batch norm", "He"]
    normed = [f["plain", "with batch norm", weights] for weights in WEIGHTS]
    helped = f["residual", "without batch norm", "bad"] / vanished
    gaps = results["depth"] - 2  # between the convolutions

    def a_layer(factor: float) -> float:
        return float(factor ** (1 / gaps))

    healthy = all(1 / HEALTHY < value < HEALTHY for value in (kept, *normed))
    low, high = min(normed), max(normed)
    return Verdict(
        vanished < VANISHED and healthy and helped >= HELPED,
        f"plain without batch norm: {vanished:.1g} with bad weights, {kept:.2g} with He's; plain with batch norm: "
        f"{low:.2g} to {high:.2g}, that is {a_layer(low):.2f} to {a_layer(high):.2f} a layer; "
        f"additions make the bad case {helped:.1g} times better",
    )


def draw(results: Results, figure: Figure) -> None:
    panels = figure.subplots(1, 4, sharey=True)
    cases = [(kind, norm) for kind in KINDS for norm in NORMS]
    for axes, (kind, norm) in zip(panels, cases, strict=True):
        for weights, every in results["norms"][kind][norm].items():
            mean = np.exp(np.log(every).mean(0))
            axes.semilogy(np.arange(1, len(mean) + 1), mean, color=COLOURS[weights], label=weights, linewidth=2)
        tidy(axes, f"{kind},\n{norm}", "layer, from the input", "|∂C/∂y|" if axes is panels[0] else "")
    figure.suptitle(f"The gradient that reaches each of {results['depth']} layers at the start", fontweight="bold")
