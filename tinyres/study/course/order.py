"""Write an order: of a graph there are many right ones, so the learner's is judged, not compared."""

from __future__ import annotations

from typing import Any

from tinyres.study.course.learner import Complaint
from tinyres.study.course.written import Written

Graph = dict[str, list[str]]
DEPTH = 3000  # of the last graph; Python ends a recursion at about 1000
CHAIN: Graph = {f"n{k}": [f"n{k - 1}"] if k else [] for k in range(DEPTH)}
GRAPHS: tuple[tuple[str, Graph, str], ...] = (
    ("a chain", {"y": ["a"], "a": ["x"], "x": []}, "y"),
    ("a diamond", {"y": ["a", "b"], "a": ["x"], "b": ["x"], "x": []}, "y"),
    ("a residual block", {"y": ["f", "x"], "f": ["a"], "a": ["x"], "x": []}, "y"),
    ("a residual block", {"y": ["x", "f"], "f": ["a"], "a": ["x"], "x": []}, "y"),
    ("x used twice", {"y": ["x", "x"], "x": []}, "y"),
    ("a graph with more above the root", {"z": ["y", "x"], "y": ["x"], "x": []}, "y"),
    ("a leaf alone", {"x": []}, "x"),
)


class WriteOrder(Written):
    """function: (inputs, root) -> the nodes, outputs first."""

    def examine(self, answer: Any) -> str | None:
        orders = self.answered(answer, [(graph, root) for _, graph, root in GRAPHS])
        for order, (what, graph, root) in zip(orders, GRAPHS, strict=True):
            if found := wrong_order(order, graph, root):
                return f"for {what}, inputs = {graph}, root = {root!r}:\n{order}\ndiagnosis: {found}"
        deep = f"n{DEPTH - 1}"
        try:
            [order] = self.answered(answer, [(CHAIN, deep)])
        except Complaint as complaint:
            if "RecursionError" in str(complaint):
                return (
                    f"right for small graphs, but a chain of {DEPTH} nodes ends in a RecursionError.\ndiagnosis: "
                    "a function that calls itself goes about 1000 deep in Python; ResNet-1202 has 6,000 ops. Keep a "
                    "stack of your own, a list, and loop."
                )
            raise
        found = wrong_order(order, CHAIN, deep)
        return found and f"for a chain of {DEPTH} nodes:\ndiagnosis: {found}"


def wrong_order(order: Any, graph: Graph, root: str) -> str | None:
    """What is wrong with it, or None."""
    if isinstance(order, (set, frozenset)):
        return "a set has no order: return a list."
    try:
        order = list(order)
        known = all(node in graph for node in order)
    except TypeError:
        return f"expected a list of nodes, got {type(order).__name__}"
    if not known:
        return f"there are things in it that are no nodes; expected names such as {root!r}."
    below = dict.fromkeys([root])
    stack = [root]
    while stack:
        fresh = [x for x in graph[stack.pop()] if x not in below]
        below.update(dict.fromkeys(fresh))
        stack.extend(fresh)
    if len(set(order)) < len(order):
        twice = next(node for node in order if order.count(node) > 1)
        return f"{twice} is in it twice; its backward would run twice. Keep a set of those seen."
    if missing := [node for node in below if node not in set(order)]:
        return f"{', '.join(missing[:5])} missing."
    if extra := [node for node in order if node not in below]:
        return f"{', '.join(extra[:5])} not below the root; begin at root, not at every node."
    place = {node: k for k, node in enumerate(order)}
    upside = [(node, x) for node in order for x in graph[node] if place[x] < place[node]]
    if not upside:
        return None
    node, x = upside[0]
    if len(upside) == sum(len(graph[node]) for node in order):
        return "the order is inputs first, the forward's; turn it around (reversed)."
    return (
        f"{x} comes before {node}, which was computed from it: {x}'s gradient is handed on before "
        f"{node}'s share has arrived. A node must wait for all that use it: write it down after its inputs are done "
        "(depth first, then reversed), not when it is first met."
    )
