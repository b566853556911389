"""A normalisation's gradient as a sum of terms: what a coefficient that is not 1 says."""

from __future__ import annotations

import numpy as np

from tinyres.check.diagnosis.evidence import constant, number

NAMES = (
    "the direct term (gamma·gy/std)",
    "the term via the mean (−mean(gamma·gy)/std)",
    "the term via the variance (−x̂·mean(gamma·gy·x̂)/std)",
)
MISSING = {
    NAMES[0]: "The direct term, gamma·gy/std, is missing.",
    NAMES[1]: (
        "The gradient is missing the term that comes from the mean: −mean(gamma·gy)/std. The mean (of the batch, or "
        "of the group) is treated as a constant, but it depends on x."
    ),
    NAMES[2]: (
        "The gradient is missing the term that comes from the variance: −x̂·mean(gamma·gy·x̂)/std. The "
        "variance (the std, "
        "the norm) is treated as a constant, but it depends on x."
    ),
}
BOTH_MISSING = (
    "The gradient is missing the terms that come from the mean and from the variance: both are treated as "
    "constants, but "
    "they depend on x. Add −mean(gamma·gy)/std and −x̂·mean(gamma·gy·x̂)/std."
)
STD = {
    1: "1/std is forgotten",
    2: "it is multiplied by std where it must be divided (as with (var + eps)^(−1/2) in place of ^(−3/2))",
    -1: "divided by the variance (std²) in place of std",
    -2: "divided by std³ in place of std",
}
GAMMA = {-1: "gamma is forgotten", 1: "gamma enters twice", -2: "divided by gamma where it must be multiplied"}
Coefficient = tuple[float, dict[str, int]]  # (factor, {"std": exponent, "gamma": exponent})


def told(c: np.ndarray, names: tuple[str, ...], known: dict[str, np.ndarray], m: int) -> str | None:
    """c: the coefficients (groups, terms); known: each group's std and gamma; m: the number of elements of a group."""
    found = [power_of(column, known if len(c) > 1 else {}) for column in c.T]
    if any(f is None for f in found):
        return None
    coefficients = [f for f in found if f is not None]
    missing = [name for name, (factor, _) in zip(names, coefficients, strict=True) if factor == 0]
    present = [(name, f) for name, f in zip(names, coefficients, strict=True) if f[0] != 0]
    sentences = []
    if len(missing) == 2 and NAMES[0] not in missing:
        sentences.append(BOTH_MISSING)
    else:
        sentences += [MISSING[name] for name in missing]
    if len(missing) == len(names):
        return None
    wrong = {name: oddity(*f, m) for name, f in present}
    if any(wrong.values()):
        if len(set(wrong.values())) == 1:
            what = "the whole gradient" if not missing else "what is there"
            sentences.append(f"A factor is wrong in {what}: {next(iter(wrong.values()))}.")
        else:
            sentences += [f"In {name}, {text}." for name, text in wrong.items() if text]
    return " ".join(sentences) or None


def power_of(c: np.ndarray, known: dict[str, np.ndarray]) -> Coefficient | None:
    """(factor, exponents) with c = factor·Π known^exponent, small exponents first."""
    if not np.any(c):
        return 0.0, {}
    names = list(known)
    for exponents in sorted(np.ndindex(*(7,) * len(names)), key=lambda e: sum(abs(i - 3) for i in e)):
        powers = {n: i - 3 for n, i in zip(names, exponents, strict=True) if i != 3}
        base = np.prod([known[n] ** float(e) for n, e in powers.items()] or [np.ones(len(c))], axis=0)
        factor = constant(c / base, 1e-6)
        if factor is not None and (not powers or len(c) > len(powers)):
            return factor, powers
    return None


def oddity(factor: float, powers: dict[str, int], m: int) -> str:
    """Why a coefficient is not 1; empty if it is."""
    words = []
    for name, e in powers.items():
        table = STD if name == "std" else GAMMA
        words.append(table.get(e, f"{name} to the power {number(e)} is too many"))
    size = abs(factor)
    if factor < 0:
        words.append("the sign is wrong (flipped)")
    if abs(size - 1) < 1e-6:
        pass
    elif abs(size - m) < 1e-6 * m:
        words.append(f"it is not divided by the number of elements M = {m} (a sum where the mean is due)")
    elif abs(size - 1 / m) < 1e-6 / m:
        words.append(f"it is divided by M = {m} once too often")
    elif abs(size - m / (m - 1)) < 1e-6:
        words.append(f"it is divided by M − 1 = {m - 1} in place of M = {m} (n − 1 for n)")
    elif abs(size - (m - 1) / m) < 1e-6:
        words.append(f"it is divided by M = {m} in place of M − 1 = {m - 1} (n for n − 1)")
    elif size > 1 and abs(m / size - round(m / size)) < 1e-6:
        words.append(
            f"it is {number(size)} times too large, as if divided by {round(m / size)} elements in place of M = {m}"
        )
    else:
        words.append(f"it has a factor {number(size)} too many")
    return ", ".join(words)
