"""Layer responses: the layers of a residual net change the signal less, and less still in a deeper net.

Claim. The response of a 3×3 layer is its output after batch norm, before ReLU or addition. Its standard deviation is
smaller in residual nets than in plain ones, because residual functions are closer to zero. It is also smaller in deeper
residual nets, where each layer modifies the signal less.

Source. He et al. 2016a, section 4.2 and Fig. 7 (ResNet-20/56/110 and plain-20/56).

Forward hooks on every batch norm measure the responses, in evaluation mode, over 500 test images. (With these hooks,
batch norm, addition and ReLU run one by one.)

Reproduced if, in the median over three seeds, the mean standard deviation over the layers is smaller in the residual
net than in its plain twin at every depth, and smaller in the deepest residual net than in the shallowest.

The second condition needs long training, as runs showed: batch norm starts every layer with a deviation of 1, and a
deep net leaves this start later than a shallow one. After 790 steps the deepest residual net still had larger responses
than the shallowest; after 3,130 they were well below. (The paper made 64,000.)
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.data import Loader, channel_statistics
from tinyres.modes import no_grad
from tinyres.nn import BatchNorm2d, Module
from tinyres.study.labs.drawing import COLOURS, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.twins import KINDS, of_all_twins, sizes_of, trained_twin
from tinyres.study.labs.workbench import Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "standard deviation of layer responses, plain and residual"
MINUTES = 4.0

IMAGES = 500


def deviations(model: Module, images: np.ndarray) -> list[float]:
    """The standard deviation of every batch norm's output over images (N,C,H,W), in the order of the layers."""
    found: list[float] = []
    norms = [module for module in model.modules() if isinstance(module, BatchNorm2d)]
    hooks = [norm.register_forward_hook(lambda norm, inputs, y: found.append(float(y.data.std()))) for norm in norms]
    model.eval()
    with no_grad():
        model(Tensor(images))
    for hook in hooks:
        hook.remove()
    return found


def compute(bench: Workbench) -> Results:
    depths, seeds = bench.choose([8, 20, 32], [20, 56, 110]), bench.seeds(3, 3)
    epochs, sets = bench.epochs(4, 30), bench.load((3000, 1000))
    average, deviation = channel_statistics(sets[0])
    images, _ = next(Loader(sets[1], IMAGES, mean=average, std=deviation).epoch(0))

    def measure(kind: str, depth: int, seed: int) -> Results:
        model, curve = trained_twin(bench, kind, depth, seed, sets, epochs)
        return {"responses": deviations(model, images), "test_error": curve[-1]["test_error"]}

    return {"nets": of_all_twins(bench, depths, seeds, measure), "epochs": epochs, "data": sizes_of(*sets)}


def strength(runs: Sequence[Results]) -> float:
    """The mean response over the layers, and of that the median over the seeds."""
    return median(mean(run["responses"]) for run in runs)


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = [
        [kind, depth, f"{strength(runs):.3f}", f"{100 * median(run['test_error'] for run in runs):.1f} %"]
        for kind in KINDS
        for depth, runs in results["nets"][kind].items()
    ]
    return ("net", "layers", "mean deviation of the responses", "test error"), rows


def verdict(results: Results) -> Verdict:
    plain, residual = ({depth: strength(runs) for depth, runs in results["nets"][kind].items()} for kind in KINDS)
    shallow, *_, deep = residual
    held = all(residual[depth] < plain[depth] for depth in plain) and residual[deep] < residual[shallow]
    pairs = ", ".join(f"{residual[depth]:.2f} against {plain[depth]:.2f} at {depth} layers" for depth in plain)
    return Verdict(held, f"residual against plain: {pairs}")


def draw(results: Results, figure: Figure) -> None:
    by_layer, ordered = figure.subplots(1, 2, sharey=True)
    depths = list(results["nets"]["plain"])
    for kind in KINDS:
        for depth, style in zip(depths, (":", "--", "-"), strict=False):
            responses = np.median([run["responses"] for run in results["nets"][kind][depth]], axis=0)
            place = np.linspace(0, 1, len(responses))
            by_layer.plot(place, responses, style, color=COLOURS[kind], label=f"{kind} {depth}")
            ordered.plot(place, np.sort(responses)[::-1], style, color=COLOURS[kind], label=f"{kind} {depth}")
    tidy(by_layer, "in the order of the layers", "place in the net (0: first layer, 1: last)", "standard deviation")
    tidy(ordered, "sorted", "share of the layers with a larger one")
    by_layer.set_ylim(0, None)
    figure.suptitle(f"Layer responses, after batch norm: {results['data']}", fontweight="bold")
