"""Gradients that are known formulas, a sum of terms: softmax, cross-entropy, normalisations, SiLU and its kind.

    softmax        gx = y·gy − y·Σ(gy·y)
    log-softmax    gx = gy − exp(y)·Σ gy
    cross-entropy  gx = softmax(x)·gy − target·gy           gy: what arrives at the row, times 1/N for a mean
    batch norm     gx = gamma·gy/std − mean(gamma·gy)/std − x̂·mean(gamma·gy·x̂)/std
                        └─ direct ─┘   └── via the mean ─┘   └── via the variance ────┘

(Over a group of M values that share a mean and a variance. RMS norm and dividing by a length subtract no mean.)

A formula is believed only if it gives the true gradient. Then the claimed one is the same formula with a mistake in it:
a term with a wrong factor, a name or an operator exchanged (see mutants.py), or two of these at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import erf, pi, sqrt
from typing import Any, NamedTuple

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, fit, jacobian, number, same, subsets
from tinyres.check.diagnosis.factor import by_counts, is_
from tinyres.check.diagnosis.mutants import FILE, Swaps, mutants, replaced

EPSILONS = (1e-5, 0.0, 1e-3, 1e-6, 1e-8, 1e-12, 1e-4, 1e-2, 1e-1, 1.0)
PASSED = ": {} is treated as a constant, but it depends on x"
GYS = 3  # of the random gys: enough to tell formulas apart


class Formula(NamedTuple):
    """terms: their source, by what they are called. known: the values of the names in it, but for gy.

    first: lines that come before the terms, name -> source. swaps: what people write in place of a name. weight: what
    gy is multiplied by beforehand. counts: numbers of elements that a term may be divided by, and what they are.
    """

    start: str
    terms: dict[str, str]
    known: dict[str, Any]
    swaps: Swaps
    counts: dict[int, str]
    first: dict[str, str] = {}  # noqa: RUF012  # never changed
    weight: np.ndarray | float = 1.0
    as_it_came: bool = False  # gy in y's shape; else in x's, each x having that of the output that it reaches

    @property
    def lines(self) -> dict[str, str]:
        """All sources, those of the terms without their signs."""
        return self.first | {name: source.removeprefix("-") for name, source in self.terms.items()}

    def values(self, facts: Facts, changed: dict[str, str]) -> list[np.ndarray]:
        """Each term for some gys, (GYS, *x.shape); changed: what some of the lines have become."""
        codes = {name: compile(source, FILE, "eval") for name, source in (self.lines | changed).items()}
        found = []
        for gy in (facts.gys if self.as_it_came else facts.gys_of_x())[:GYS] * self.weight:
            space: dict[str, Any] = FUNCTIONS | self.known | {"gy": gy}
            for name, line in codes.items():
                space[name] = eval(line, space)
            signs = {name: -1.0 if source.startswith("-") else 1.0 for name, source in self.terms.items()}
            found.append([np.broadcast_to(sign * space[name], facts.x.shape) for name, sign in signs.items()])
        return [np.stack(term) for term in zip(*found, strict=True)]


def softmax(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    e = np.exp(x - x.max(axes, keepdims=True))
    return e / e.sum(axes, keepdims=True)


FUNCTIONS = {
    "exp": np.exp,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "softmax": softmax,
    "log_softmax": lambda x, axes: np.log(softmax(x, axes)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "phi": lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi),
    "Phi": np.vectorize(lambda v: (1 + erf(v / 2**0.5)) / 2),
}
PRODUCTS = {  # a function of x, and the terms of its derivative
    "x·sigmoid(x)": ("sigmoid(x)", "x * sigmoid(x) * (1 - sigmoid(x))"),
    "GELU, x/2·(1 + t) with t = tanh(k·(x + 0.044715·x³)) and k = √(2/π),": (
        "(1 + t) / 2",
        "x / 2 * (1 - t**2) * k",
        "x / 2 * (1 - t**2) * k * 3 * 0.044715 * x**2",
    ),
    "x·sigmoid(1.702·x)": ("sigmoid(1.702 * x)", "1.702 * x * sigmoid(1.702 * x) * (1 - sigmoid(1.702 * x))"),
    "GELU, x·Φ(x),": ("Phi(x)", "x * phi(x)"),
    "mish, x·tanh(softplus(x)),": ("tanh(softplus(x))", "x * (1 - tanh(softplus(x))**2) * sigmoid(x)"),
    "x·tanh(x)": ("tanh(x)", "x * (1 - tanh(x)**2)"),
}


def wrong_term(facts: Facts) -> str | None:
    for formula in formulas(facts):
        right = formula.values(facts, {})
        scale = fit(facts.gradients(facts.true)[:GYS], [np.sum(right, axis=0)])
        if scale is not None and scale[0]:
            return explained(facts, formula._replace(weight=formula.weight * scale[0]))
    return None


def explained(facts: Facts, formula: Formula) -> str | None:
    """Which mistake in the formula gives the claimed gradient: factors of its terms, one change, or a change in two."""
    claimed, right = facts.gradients(facts.claimed)[:GYS], formula.values(facts, {})
    start = f"{formula.start} `{' + '.join(formula.terms.values()).replace('+ -', '- ')}`, but "
    factors = fit(claimed, right)
    if factors is not None and all("." not in number(c) for c in factors):  # as somebody may have written them
        return f"{start}{words}." if (words := coefficients(formula, factors)) else None
    wrong = []
    for lines, words in mistakes(formula):
        try:
            values = formula.values(facts, lines)
        except Exception:  # shapes that do not fit: then it is not what happened
            continue
        if same(claimed, np.sum(values, axis=0)):
            return f"{start}{words}."
        if len(lines) == 1:
            wrong.append((list(lines), np.sum(values, axis=0) - np.sum(right, axis=0), words))
    rest = claimed - np.sum(right, axis=0)
    for (line, v, one), (another, w, other) in combinations(wrong, 2):
        if line != another and abs(v.flat[0] + w.flat[0] - rest.flat[0]) < 1e-6 and same(rest, v + w):
            return f"{start}{one}, and {other}."
    return None if factors is None else f"{start}{coefficients(formula, factors)}."


def mistakes(formula: Formula) -> Iterator[tuple[dict[str, str], str]]:
    """(what some lines become by one mistake, the mistake): a name exchanged in all terms, or a change in one line."""
    for name, news in formula.swaps.items():
        for new, words in news:
            for lines in ({name: new},) * (name in formula.first) + (everywhere(formula, name, new),):
                yield lines, words or f"`{new}` is used in place of `{name}`"
    for line, source in formula.lines.items():
        for changed, words in mutants(source, formula.swaps):
            yield {line: changed}, words if line.startswith("_") else f"in {line}, {words}"
    for name in (*formula.first, *(name for name, value in formula.known.items() if isinstance(value, np.ndarray))):
        for new, words in (("1", "is forgotten"), (f"{name}**2", "enters twice"), (f"1 / {name}", "is upside down")):
            yield everywhere(formula, name, new), f"{name} {words}"


def everywhere(formula: Formula, name: str, new: str) -> dict[str, str]:
    return {line: replaced(formula.lines[line], name, new) for line in formula.terms}


def coefficients(formula: Formula, c: np.ndarray) -> str:
    """What is wrong if the terms are multiplied by c; empty if nothing is."""
    if same(np.abs(c), np.full(len(c), abs(c[0])), 1e-6) and not is_(abs(c[0]), 1):
        much = f"all of it is {number(abs(c[0]))} times too large: a constant that forward multiplies by is forgotten"
        signs = [f"the sign of `{s}` is wrong" for s, v in zip(formula.terms.values(), c, strict=True) if v < 0]
        return "; ".join([f"{much} (1/temperature, or 1/N)", *signs])
    wrong = []
    for (name, source), v in zip(formula.terms.items(), c, strict=True):
        what = f"the term `{source}`" if name.startswith("_") else f"{name}, `{source}`,"
        if v == 0:
            wrong.append(f"{what} is missing{PASSED.format(way) if (way := name.partition('via ')[2]) else ''}")
        elif not is_(v, 1):
            sign = " has the wrong sign (flipped)" if v < 0 else ""
            wrong.append(f"{what}{sign}{'' if is_(v, -1) else of_size(abs(float(v)), formula.counts)}")
    return "; ".join(wrong)


def of_size(factor: float, counts: dict[int, str]) -> str:
    """Where the factor of one term comes from."""
    instead = dict.fromkeys(range(2, max(counts, default=2)), "")
    lacking = f"lacks a factor {number(1 / factor)}" if factor < 1 else f"has a factor {number(factor)} too many"
    return f" {next((words for words in by_counts(factor, counts, instead) if '√' not in words), lacking)}"


# ---- the formulas ----------------------------------------------------------------------------------------------------


def formulas(facts: Facts) -> Iterator[Formula]:
    """Those that this op's gradient might be."""
    x, y = facts.x, facts.y
    for axes in subsets(x.ndim):
        sizes = {x.shape[a]: f"the length of axis {a}" for a in axes} | {len(x): "the batch size"} if x.ndim else {}
        sizes |= {n: f"the length of axis {a}" for a, n in enumerate(x.shape) if n not in sizes}
        sizes = {n: what for n, what in sizes.items() if n > 1}
        if x.shape == y.shape and np.all(y > 0) and np.allclose(y.sum(axes), 1, rtol=1e-9):
            terms = ("y * gy", f"-y * (gy * y).sum({axes}, keepdims=True)")
            swaps = {"y": [("x", ""), ("exp(x)", "")]}
            yield Formula("The gradient must be", named(terms), {"x": x, "y": y}, swaps, sizes)
        if x.shape == y.shape and np.allclose(np.exp(y).sum(axes), 1, rtol=1e-9):
            terms = ("gy", f"-exp(y) * gy.sum({axes}, keepdims=True)")
            swaps = {
                "y": [("x", "exp(x) is not divided by its sum")],
                "gy": [("(gy * exp(y))", ""), ("exp(y) * gy", "")],
            }
            yield Formula("The gradient must be", named(terms), {"x": x, "y": y}, swaps, sizes)
        if len(axes) == 1 and y.size < x.size and x.shape[axes[0]] > 1:
            yield from cross_entropy(facts, axes, sizes)
    yield from normalisation(facts)
    yield from variance(facts)
    if x.shape == y.shape:
        known, first = {"x": x, "k": sqrt(2 / pi)}, {"t": "tanh(k * (x + 0.044715 * x**3))"}
        gates = {"": np.ones(x.shape)} | {f" * {n}": a for n, a in facts.others if a.shape == x.shape}
        for name, products in PRODUCTS.items():
            for gate, weight in gates.items():
                start = f"By the product rule the gradient of {name.removesuffix(',')}{gate} is"
                factors = named(tuple(f"{product} * gy" for product in products))
                yield Formula(start, factors, known, {}, {}, first, weight=weight)


def named(terms: tuple[str, ...]) -> dict[str, str]:
    return {f"_{k}": source for k, source in enumerate(terms)}


def cross_entropy(facts: Facts, axes: tuple[int, ...], sizes: dict[int, str]) -> Iterator[Formula]:
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
    terms = named((f"softmax(x, {axes}) * gy", f"-{onehot} * gy"))
    yield Formula("The gradient must be", terms, known, swaps, sizes)


def normalisation(facts: Facts) -> Iterator[Formula]:
    """Batch norm, layer norm, group norm, RMS norm: which gamma and eps forward uses is found by trying."""
    labels = groups(facts)
    if labels is None:
        return
    x, shape = facts.x, facts.x.shape
    sizes = {int(np.sum(labels == 0)): "the number M of elements of a group"}
    members = np.stack(np.unravel_index(np.flatnonzero(labels == 0), shape))
    own = tuple(a for a in range(x.ndim) if len(np.unique(members[a])) > 1)
    known: dict[str, Any] = {"x": x, "mean": average(labels, shape), "M": sizes and next(iter(sizes))}
    other_means = []
    for k, axes in enumerate(subsets(x.ndim)):
        kept = [1 if a in axes else n for a, n in enumerate(shape)]
        known[f"mean_{k}"] = average(np.broadcast_to(np.arange(np.prod(kept)).reshape(kept), shape).ravel(), shape)
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
                yield Formula("The gradient must be", terms, now, swaps, sizes, first)


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
                yield Formula("The gradient must be", named((term,)), known, {"y": [], "x": []}, {})
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
                    terms = named((f"(gy * xhat).sum({summed})",))
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
    """What x̂ may be multiplied by: nothing, an input, a constant inside forward (then it is y's slope against x̂)."""
    x = facts.x
    rest = x - mean(x) if centred else x
    xhat = rest / np.sqrt(mean(rest**2) + eps)
    yield np.ones(x.shape)
    for _, a in facts.others:
        kept = [n for n in a.shape if n != 1]
        for first in range(x.ndim - len(kept) + 1):
            if list(x.shape[first : first + len(kept)]) == kept:
                yield np.broadcast_to(a.reshape([*kept, *[1] * (x.ndim - first - len(kept))]), x.shape)
    for axes in subsets(x.ndim):
        u, v = (a - a.mean(axes, keepdims=True) for a in (xhat, facts.y))
        slope = (u * v).sum(axes, keepdims=True) / (u * u).sum(axes, keepdims=True)
        if np.all(np.isfinite(slope)):
            yield np.broadcast_to(slope, x.shape)
