"""Drawn mutants that no check can kill, each with the reason why it changes no result.

At present every drawn mutant is killed. An edit to the sources may draw another, such as this one:

    "array.relu: return np.maximum(«x, 0 → 0, x»)": "The larger of two is the same in either order, NaN included.",
"""

EQUIVALENT: dict[str, str] = {}
