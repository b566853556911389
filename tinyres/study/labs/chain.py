"""A chain of one-neuron layers: four ways to the same gradient, and its size at growing depth, with w and with w + 1.

Claim. In a chain z_i = w_i·a_{i−1}, a_i = f(z_i), C = ½(a_n − t)², the chain rule gives

    ∂C/∂w_1 = x · f'(z_1) · w_2 · f'(z_2) · … · w_n · f'(z_n) · (a_n − t)

If g_i = ∂C/∂z_i is cached from back to front, nothing is computed twice:

    g_n = (a_n − t)·f'(z_n)        g_i = g_{i+1} · w_{i+1} · f'(z_i)        ∂C/∂w_i = g_i · a_{i−1}

A residual connection in every layer, z_i = w_i·a_{i−1} + a_{i−1}, turns each factor w_i of the product into w_i+1.
Because s' ≤ 1/4, the gradient of the sigmoid chain vanishes. Factors above 1 make it explode: three factors of 1.5 make
it grow 3.4-fold (1.5³ = 3.375), two hundred and twenty overflow float32, and one step of gradient descent later the
output is NaN.

Source. Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors"; Hochreiter 1991 for
the vanishing gradient; He et al. 2016a, eq. 1, for the addition.

Reproduced if the product, the recursion, autograd and central differences agree to 1e-10 for both chains; if, in the
median over 200 random chains of 30 layers (w between 0 and 1), |∂C/∂w_1| of the sigmoid chain is below 1e-12 and w + 1
makes it larger for every activation; and if the NaN appears. (The factor depends on the activation: the sums grow and
drive tanh into its flat ends.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.random import generator
from tinyres.study.labs.drawing import BLUE, GREEN, VERMILION, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.workbench import Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "the chain rule in four ways, and the w + 1 of a residual connection"
MINUTES = 0.1

AGREEMENT, VANISHED, DEPTH = 1e-10, 1e-12, 30
CHAINS = {"w": 0.0, "w + 1": 1.0}  # and the skip of each
COLOURS = {"sigmoid": BLUE, "tanh": GREEN, "relu": VERMILION}
STYLES = {"sigmoid": "-", "tanh": "--", "relu": "-."}
LARGEST = float(np.finfo(np.float32).max)
Function = Callable[[Any], Any]  # of a number or an array
ACTIVATIONS: dict[str, tuple[Function, Function]] = {  # f, and f' from z
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
}


# ---- four ways -------------------------------------------------------------------------------------------------------


def forward(x: Any, ws: Sequence[Any], f: Function, skip: float) -> tuple[list[Any], list[Any]]:
    """a_0 … a_n and z_1 … z_n of the chain. skip: 1 with the residual connection, 0 without."""
    a, z = [x], []
    for w in ws:
        z.append((w + skip) * a[-1])
        a.append(f(z[-1]))
    return a, z


def by_product(x: float, t: float, ws: Sequence[float], name: str, skip: float) -> list[float]:
    """Every ∂C/∂w_i as the whole product, computed from scratch for each i: n²/2 multiplications."""
    f, slope = ACTIVATIONS[name]
    a, z = forward(x, ws, f, skip)
    gradients = []
    for i in range(len(ws)):
        product = a[i] * slope(z[i])
        for j in range(i + 1, len(ws)):
            product *= (ws[j] + skip) * slope(z[j])
        gradients.append(float(product * (a[-1] - t)))
    return gradients


def by_recursion(x: float, t: float, ws: Sequence[float], name: str, skip: float) -> list[float]:
    """The same with g_i cached: n multiplications."""
    f, slope = ACTIVATIONS[name]
    a, z = forward(x, ws, f, skip)
    g = (a[-1] - t) * slope(z[-1])
    gradients: list[float] = []
    for i in reversed(range(len(ws))):
        gradients.insert(0, float(g * a[i]))
        g = g * (ws[i] + skip) * slope(z[i - 1])
    return gradients


def by_autograd(x: float, t: float, ws: Sequence[float], name: str, skip: float) -> list[float]:
    leaves = [Tensor(np.float64(w), requires_grad=True) for w in ws]
    a = Tensor(np.float64(x))
    for w in leaves:
        z = w * a
        z = z + a if skip else z
        a = getattr(z, name)()
    (0.5 * (a - np.float64(t)) ** 2).backward()
    return [float(w.grad) for w in leaves if w.grad is not None]


def by_differences(x: float, t: float, ws: Sequence[float], name: str, skip: float, step: float = 1e-5) -> list[float]:
    def cost(ws: Sequence[float]) -> float:
        return 0.5 * (forward(x, ws, ACTIVATIONS[name][0], skip)[0][-1] - t) ** 2

    def moved(i: int, by: float) -> list[float]:
        return [w + by * (i == j) for j, w in enumerate(ws)]

    return [float((cost(moved(i, step)) - cost(moved(i, -step))) / (2 * step)) for i in range(len(ws))]


WAYS = {
    "product": by_product,
    "recursion": by_recursion,
    "autograd": by_autograd,
    "differences": by_differences,
}


# ---- depth -----------------------------------------------------------------------------------------------------------


def medians_by_depth(name: str, skip: float, depths: Sequence[int], chains: int, seed: int) -> list[float]:
    """The median of |∂C/∂w_1| over random chains, at each depth; x = 1 and C = a_n, so that only the chain counts."""
    f, slope = ACTIVATIONS[name]
    ws = generator(seed, f"chain {name}").uniform(0, 1, (max(depths), chains))
    medians = []
    for depth in depths:
        a, z = forward(np.ones(chains), list(ws[:depth]), f, skip)
        g = slope(z[-1])
        for i in reversed(range(1, depth)):
            g = g * (ws[i] + skip) * slope(z[i - 1])
        medians.append(float(np.median(np.abs(g * a[0]))))
    return medians


def growth(factor: float, depth: int) -> float:
    """The factor by which a ReLU chain in float32, with every w = factor, multiplies a gradient from its end to x."""
    x = Tensor(np.float32(1e-30), requires_grad=True)  # so small that forward stays finite
    a = x
    for _ in range(depth):
        a = (a * np.float32(factor)).relu()
    with np.errstate(over="ignore"):
        a.backward()
    assert x.grad is not None
    return float(x.grad)


def explosion(factor: float = 1.5) -> Results:
    """A ReLU chain in float32 with every w = factor, deep enough to overflow; then one step of gradient descent."""

    def slopes(ws: np.ndarray) -> np.ndarray:
        leaves = [Tensor(w, requires_grad=True) for w in ws]
        a = Tensor(np.float32(1e-30))  # so small that forward stays finite, while C = 1e30·a_n has a slope of order 1
        for w in leaves:
            a = (w * a).relu()
        (a * np.float32(1e30)).backward()
        return np.array([w.grad for w in leaves])

    with np.errstate(over="ignore", invalid="ignore"):
        depth = int(np.ceil(np.log(np.finfo(np.float32).max) / np.log(factor)))
        ws = np.full(depth, factor, np.float32)
        gradient = slopes(ws)
        stepped = forward(np.float32(1e-30), list(ws - np.float32(0.1) * gradient), ACTIVATIONS["relu"][0], 0)[0][-1]
    return {
        "factor": factor,
        "growth_over_three_layers": factor**3,
        "depth": depth,
        "gradient": str(gradient[0]),
        "output_after_a_step": str(stepped),
    }


# ---- the lab ---------------------------------------------------------------------------------------------------------


def compute(bench: Workbench) -> Results:
    ws, x, t = generator(bench.settings.seed, "chain").uniform(-1, 1, 5).tolist(), 1.0, 0.0
    four = {
        kind: {way: gradient(x, t, ws, "sigmoid", skip) for way, gradient in WAYS.items()}
        for kind, skip in CHAINS.items()
    }
    depths, chains = bench.choose(list(range(1, 31)), list(range(1, 101))), bench.choose(200, 2000)
    by_depth = {
        name: {kind: medians_by_depth(name, skip, depths, chains, bench.settings.seed) for kind, skip in CHAINS.items()}
        for name in ACTIVATIONS
    }
    end = explosion()
    growing = {str(n): growth(end["factor"], n) for n in (1, 2, 3, *range(20, end["depth"], 20))}
    found = {"weights": ws, "four_ways": four, "depths": depths, "by_depth": by_depth}
    return {**found, "explosion": end, "growth": growing}


def largest_difference(results: Results) -> float:
    """The largest difference between any two of the four ways, over both chains."""
    return max(float(np.ptp(list(ways.values()), axis=0).max()) for ways in results["four_ways"].values())


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = [
        [f"∂C/∂w_{i + 1}, chain of {kind}", *(f"{gradients[i]:+.12e}" for gradients in ways.values())]
        for kind, ways in results["four_ways"].items()
        for i in range(len(results["weights"]))
    ]
    return ("", *WAYS), rows


def verdict(results: Results) -> Verdict:
    difference = largest_difference(results)
    at = results["depths"].index(DEPTH)
    vanished = results["by_depth"]["sigmoid"]["w"][at]
    ratios = {name: kinds["w + 1"][at] / max(kinds["w"][at], 5e-324) for name, kinds in results["by_depth"].items()}
    nan = results["explosion"]["output_after_a_step"] == "nan"
    held = difference <= AGREEMENT and vanished < VANISHED and min(ratios.values()) > 1 and nan
    factors = ", ".join(f"{name} {ratio:.2g}" for name, ratio in ratios.items())
    return Verdict(
        held,
        f"the four ways differ by {difference:.1g} at most; at {DEPTH} layers the sigmoid chain's gradient is "
        f"{vanished:.1g}, and w + 1 multiplies it ({factors}); three factors of 1.5 make it grow "
        f"{results['growth']['3']:.1f}-fold, and after {results['explosion']['depth']} it is "
        f"{results['explosion']['gradient']}, the output a step later {results['explosion']['output_after_a_step']}",
    )


def draw(results: Results, figure: Figure) -> None:
    plain, residual, exploding = figure.subplots(1, 3)
    residual.sharey(plain)
    for axes, kind, title in (
        (plain, "w", "plain: factors w·f'(z)"),
        (residual, "w + 1", "residual: factors (w + 1)·f'(z)"),
    ):
        for name, kinds in results["by_depth"].items():
            values = np.where(np.array(kinds[kind]) > 0, kinds[kind], np.nan)
            axes.semilogy(results["depths"], values, STYLES[name], color=COLOURS[name], label=name, linewidth=2)
        tidy(axes, title, "layers of the chain", "|∂C/∂w₁|, median over chains" if axes is plain else "")
    growing, end = results["growth"], results["explosion"]
    exploding.semilogy([int(n) for n in growing], list(growing.values()), "o-", color=VERMILION, label="the factor")
    exploding.axhline(LARGEST, color="black", linestyle="--", label="float32 ends: inf, then NaN")
    exploding.plot(end["depth"], LARGEST, "x", color="black", markersize=9)
    exploding.text(20, 0.9, f"3 layers: {growing['3']:.4g}-fold")
    exploding.set_ylim(0.1, 1e48)  # room for the legend
    tidy(exploding, f"every w = {end['factor']:g}, ReLU", "layers of the chain", "|∂C/∂x|, C the output")
    figure.suptitle("What reaches the first weight of a chain of one-neuron layers", fontweight="bold")
