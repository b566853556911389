"""Gradients whose formulas are known: softmax, cross-entropy, normalisations, SiLU and its kind.

    softmax        gx = y·gy − y·Σ(gy·y)
    log-softmax    gx = gy − exp(y)·Σ gy
    cross-entropy  gx = softmax(x)·gy − target·gy           gy: what arrives at the row, times 1/N for a mean
    batch norm     gx = gamma·gy/std − mean(gamma·gy)/std − x̂·mean(gamma·gy·x̂)/std
                        └─ direct ─┘   └── via the mean ─┘   └── via the variance ────┘

(Over a group of M values that share a mean and a variance. RMS norm and dividing by a length subtract no mean.)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import pi, sqrt
from typing import Any

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, fit, jacobian, places_along, subsets
from tinyres.check.diagnosis.factor import sizes
from tinyres.check.diagnosis.terms import Formula, softmax

MUST_BE = "The gradient must be"
EPSILONS = (1e-5, 0.0, 1e-3, 1e-6, 1e-8, 1e-12, 1e-4, 1e-2, 1e-1, 1.0)
PRODUCTS = {  # a function of x, and the terms of its derivative
    "x·sigmoid(x)": ("sigmoid(x)", "x * sigmoid(x) * (1 - sigmoid(x))"),
    "GELU, x/2·(1 + t) with t = tanh(k·(x + 0.044715·x³)) and k = √(2/π)": (
        "(1 + t) / 2",
        "x / 2 * (1 - t**2) * k",
        "x / 2 * (1 - t**2) * k * 3 * 0.044715 * x**2",
    ),
    "x·sigmoid(1.702·x)": ("sigmoid(1.702 * x)", "1.702 * x * sigmoid(1.702 * x) * (1 - sigmoid(1.702 * x))"),
    "GELU, x·Φ(x)": ("Phi(x)", "x * phi(x)"),
    "mish, x·tanh(softplus(x))": ("tanh(softplus(x))", "x * (1 - tanh(softplus(x))**2) * sigmoid(x)"),
    "x·tanh(x)": ("tanh(x)", "x * (1 - tanh(x)**2)"),
}


def known_gradients(facts: Facts) -> Iterator[Formula]:
    """Those that this op's gradient might be."""
    yield from softmaxes(facts)
    yield from normalisation(facts)
    yield from variance(facts)
    if facts.x.shape == facts.y.shape:
        yield from products(facts)


def softmaxes(facts: Facts) -> Iterator[Formula]:
    x, y, counts = facts.x, facts.y, sizes(facts)
    known = {"x": x, "y": y}
    for axes in subsets(x.ndim):
        if x.shape == y.shape and np.all(y > 0) and np.allclose(y.sum(axes), 1, rtol=1e-9):
            swaps = {"y": [("x", ""), ("exp(x)", "")]}
            yield Formula(MUST_BE, named("y * gy", f"-y * (gy * y).sum({axes}, keepdims=True)"), known, swaps, counts)
        if x.shape == y.shape and np.allclose(np.exp(y).sum(axes), 1, rtol=1e-9):
            swaps = {
                "y": [("x", "exp(x) is not divided by its sum")],
                "gy": [("(gy * exp(y))", ""), ("exp(y) * gy", "")],
            }
            yield Formula(MUST_BE, named("gy", f"-exp(y) * gy.sum({axes}, keepdims=True)"), known, swaps, counts)
        if len(axes) == 1 and y.size < x.size and x.shape[axes[0]] > 1:
            yield from cross_entropy(facts, axes)


def products(facts: Facts) -> Iterator[Formula]:
    """x times a function of x, and perhaps times another input."""
    known, first = {"x": facts.x, "k": sqrt(2 / pi)}, {"t": "tanh(k * (x + 0.044715 * x**3))"}
    gates = {"": np.ones(facts.x.shape)} | {f" * {n}": a for n, a in facts.others if a.shape == facts.x.shape}
    for (name, factors), (gate, weight) in (
        product(PRODUCTS.items(), gates.items()) if facts.x.shape == facts.y.shape else ()
    ):
        start = f"By the product rule the gradient of {name}{gate} is"
        yield Formula(start, named(*(f"{factor} * gy" for factor in factors)), known, {}, {}, first, weight=weight)


def named(*terms: str) -> dict[str, str]:
    """Terms without a name of their own."""
    return {f"_{k}": source for k, source in enumerate(terms)}


def cross_entropy(facts: Facts, axes: tuple[int, ...]) -> Iterator[Formula]:
    """The mean over the rows, their sum, or one loss a row. Its slopes at two x tell the targets and the scale."""
    x, p, other = facts.x, softmax(facts.x, axes), softmax(facts.x / 2, axes)
    if np.any((facts.true != 0).sum(0) > 1):
        return
    elsewhere = [a / 2 if j == facts.index else a for j, a in enumerate(facts.inputs)]
    slopes, there = (m.sum(0).reshape(x.shape) for m in (facts.true, jacobian(facts.forward, elsewhere, facts.index)))
    scale = fit(slopes - there, [p - other])
    if scale is None or not scale[0]:
        return
    target = p - slopes / scale[0]
    if not np.allclose(target.sum(axes), 1, atol=1e-6) or not target.any():
        return
    if hard := np.allclose(target, np.round(target), atol=1e-6):
        target = np.round(target)
    gy = facts.gys_of_x()[0]
    taken = p - facts.gradients(facts.claimed)[0] / (scale[0] * gy)  # what backward subtracts from the softmax
    onehot = "onehot" if hard else "target"
    swaps = {"gy": [
        (f"(softmax(x, {axes}) * gy)", "it is multiplied by the softmax once more, which is contained already"),
        (f"(gy * softmax(x, {axes}) * (1 - softmax(x, {axes})))", "the softmax's slope p·(1 − p) is a factor too many"),
        ("(gy * label)", "only the label's own element is filled in: the other classes get softmax(x)"),
    ]}  # fmt: skip
    if np.allclose(taken, np.round(taken), atol=1e-6) and np.abs(taken).max() < 100:
        label, came = np.argwhere(target == target.max())[0].tolist(), np.round(taken).astype(int).tolist()
        another = (
            f"the one-hot is another: 1 must be subtracted at each sample's own label and nowhere else (at {label} for "
            f"the first sample). Backward subtracts {came}: index with [np.arange(N), labels]"
        )
        soft = "forward's target is smoothed, or soft, but a one-hot is subtracted"
        swaps[onehot] = [("taken", another if hard else soft)]
    known = {"x": x, onehot: target, "taken": taken, "label": target == target.max()}
    yield Formula(MUST_BE, named(f"softmax(x, {axes}) * gy", f"-{onehot} * gy"), known, swaps, sizes(facts))


def normalisation(facts: Facts) -> Iterator[Formula]:
    """Batch norm, layer norm, group norm, RMS norm: which gamma and eps forward uses is found by trying."""
    labels = groups(facts)
    if labels is None:
        return
    x, shape = facts.x, facts.x.shape
    counts = {int(np.sum(labels == 0)): "the number M of elements of a group"}
    members = np.stack(np.unravel_index(np.flatnonzero(labels == 0), shape))
    own = tuple(a for a in range(x.ndim) if len(np.unique(members[a])) > 1)
    known: dict[str, Any] = {"x": x, "mean": average(labels, shape), "M": next(iter(counts))}
    other_means = []
    for k, axes in enumerate(subsets(x.ndim)):
        others = [axis for axis in range(x.ndim) if axis not in axes]
        known[f"mean_{k}"] = average(places_along(shape, others).ravel(), shape)
        other_means.append((f"mean_{k}", f"the mean is taken over the axes {axes} of x, forward's over the axes {own}"))
    known["spread"] = lambda a: np.broadcast_to(np.broadcast_to(a, shape).mean(own), shape)
    outside = "gamma is multiplied in outside the means, at the end. It varies within a group: multiply gy by it first"
    astray = "is spread along other axes: keepdims=True is missing"
    for centred in (True, False):
        rest = "(x - mean(x))" if centred else "x"
        swaps = {
            "mean": [*other_means, ("spread", f"a mean {astray}"), ("outside", outside)],
            "std": [
                ("(sqrt(var) + eps)", "eps is added to std, but forward adds it to the variance, inside the root"),
                ("sqrt(var * M / (M - 1) + eps)", "std is the unbiased one (divided by n − 1), forward's by n"),
                ("sqrt(var * (M - 1) / M + eps)", "std is divided by n, forward's by n − 1"),
                ("std**2", "the variance, std², is used in place of std"),
            ],
            "xhat": [(f"({rest})", ""), ("x", ""), ("y", "")],
        }
        first = {"var": f"mean({rest}**2)", "std": "sqrt(var + eps)", "xhat": f"{rest} / std"}
        terms = {"the direct term": "gy * gamma / std", "the term via the mean": "-mean(gy * gamma) / std"}
        terms["the term via the variance"] = "-xhat * mean(gy * gamma * xhat) / std"
        if not centred:
            del terms["the term via the mean"]
        for eps in EPSILONS:
            for gamma in gammas(facts, known["mean"], centred, eps):
                now = known | {"eps": eps, "gamma": gamma, "y": facts.y}
                now["outside"] = lambda a, gamma=gamma: gamma * known["mean"](a / gamma)
                yield Formula(MUST_BE, terms, now, swaps, counts, first)


def variance(facts: Facts) -> Iterator[Formula]:
    """y = x.var(axes) or x.std(axes); and gamma's gradient in a normalisation of another input."""
    x, y = facts.x, facts.y
    for axes in subsets(x.ndim):
        if y.size < x.size and x.var(axes).size == y.size:
            known = {"x": x, "y": np.broadcast_to(y.reshape(x.var(axes, keepdims=True).shape), x.shape)}
            m = x.size // y.size
            for term in (
                f"2 * gy * (x - x.mean({axes}, keepdims=True)) / {m}",
                f"gy * (x - x.mean({axes}, keepdims=True)) / ({m} * y)",
            ):
                yield Formula(MUST_BE, named(term), known, {"y": [], "x": []}, {})
    for name, a in facts.others:
        if a.shape != y.shape or y.size <= x.size:
            continue
        name = name.replace(" ", "_")
        swaps = {"xhat": [(name, ""), (f"({name} - mean)", "the division by `std` is missing")]}
        for summed in subsets(y.ndim):
            for axes in subsets(y.ndim) if y.sum(summed).shape == x.shape else ():
                for eps in EPSILONS[:6]:
                    first = {
                        "mean": f"{name}.mean({axes}, keepdims=True)",
                        "std": f"sqrt({name}.var({axes}, keepdims=True) + eps)",
                        "xhat": f"({name} - mean) / std",
                    }
                    terms = named(f"(gy * xhat).sum({summed})")
                    start = f"With xhat = {first['xhat']} the gradient must be"
                    yield Formula(start, terms, {name: a, "eps": eps}, swaps, {}, first, as_it_came=True)


def average(labels: np.ndarray, shape: tuple[int, ...]) -> Any:
    """a -> at each element, the mean of a over its group."""
    matrix = (labels[:, None] == labels) / np.bincount(labels)[labels]
    return lambda a: (np.broadcast_to(a, shape).reshape(-1) @ matrix).reshape(shape)


def groups(facts: Facts) -> np.ndarray | None:
    """Elements that influence one another, and all of their group: each group a full block of the Jacobian."""
    if facts.x.shape != facts.y.shape or facts.x.size < 4:
        return None
    used = facts.true != 0
    labels = np.unique(used.argmax(1), return_inverse=True)[1]
    return labels if np.array_equal(used, labels[:, None] == labels) and np.bincount(labels).min() > 1 else None


def gammas(facts: Facts, mean: Any, centred: bool, eps: float) -> Iterator[np.ndarray]:
    """What x̂ may be multiplied by, an input or a constant inside forward: the slope of y against x̂ along some axes."""
    rest = facts.x - mean(facts.x) if centred else facts.x
    xhat = rest / np.sqrt(mean(rest**2) + eps)
    for axes in subsets(facts.x.ndim):
        u, v = (a - a.mean(axes, keepdims=True) for a in (xhat, facts.y))
        slope = (u * v).sum(axes, keepdims=True) / (u * u).sum(axes, keepdims=True)
        if np.all(np.isfinite(slope)):
            yield np.broadcast_to(slope, facts.x.shape)
