"""Lesson 2: the engine in a hundred lines: an order for the sweep, adding up where ways meet, two first backwards."""

import numpy as np

from tinyres import autograd
from tinyres.ops.add import Add
from tinyres.ops.broadcast import sum_to
from tinyres.ops.multiply import Multiply
from tinyres.study.course.lesson import Lesson
from tinyres.study.course.order import WriteOrder

lesson = Lesson(2, "the engine in a hundred lines")


@lesson.kind(
    WriteOrder,
    hints=(
        "A node may come only when all that was computed from it has come. Depth first, write a node down *after* its "
        "inputs: that gives inputs first. Turn the list around at the end.",
        "Keep a stack of (node, inputs_done), no recursion: push (node, True), then its inputs; when (node, True) "
        "comes off the stack, append it. Return reversed(order).",
    ),
    library=(autograd._outputs_first,),
)
def topological_sweep(inputs, root):
    """inputs {node: [the nodes it was computed from]}, root a node -> a list of every node below root, root first.

    Each node appears once, after *all* nodes that were computed from it. A leaf has an empty list in `inputs`.
    """
    order, seen = [], set()
    stack = [(root, False)]
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((x, False) for x in inputs[node])
    return order[::-1]


def _draw_sweep(rng):
    """y = u·v with u and v computed from x, and x used once more: a diamond with a way around it."""
    inputs = {"y": ["u", "v", "x"], "u": ["x", "x"], "v": ["u", "w"], "x": [], "w": []}
    slopes = {node: rng.uniform(0.5, 2, len(below)).tolist() for node, below in inputs.items()}
    return ["y", "v", "u", "x", "w"], inputs, slopes


@lesson.function(
    inputs=_draw_sweep,
    hints=(
        "Begin with {order[0]: 1}. For each node, hand its own gradient, times the slope, to each of its inputs.",
        "g[x] = g.get(x, 0) + g[node] * slope: x may be reached along several ways, and they add up.",
    ),
    library=(autograd.Tensor.backward,),
)
def backward_sweep(order, inputs, slopes):
    """order: nodes, outputs first. inputs {node: [nodes]}, slopes {node: [∂node/∂input for each of its inputs]}.

    -> [∂y/∂node for each node of order], y = order[0].
    """
    g = dict.fromkeys(order, 0.0)
    g[order[0]] = 1.0
    for node in order:
        for x, slope in zip(inputs[node], slopes[node], strict=True):
            g[x] += g[node] * slope
    return [g[node] for node in order]


@lesson.backward(
    forward=np.multiply,
    gradients="a b",
    inputs=lambda rng: (rng.standard_normal((3, 4)), rng.standard_normal((3, 4))),
    hints=("Product rule: what is ∂(a·b)/∂a?", "ga = gy·b and gb = gy·a: each side gets the *other* factor."),
    library=(Multiply.backward,),
)
def multiply_backward(gy, a, b):
    """y = a·b, element by element. gy, a, b (N, M) -> ga, gb (N, M)"""
    return gy * b, gy * a


@lesson.backward(
    forward=np.add,
    gradients="x b",
    inputs=lambda rng: (rng.standard_normal((5, 3)), rng.standard_normal(3)),
    hints=(
        "b[j] was used in every row, so the gradients of all the rows reach it. The gradient has b's shape.",
        "gx = gy, gb = gy.sum(0).",
    ),
    library=(Add.backward, sum_to),
)
def add_bias_backward(gy, x, b):
    """y = x + b, b added to every row. gy, x (N, M), b (M) -> gx (N, M), gb (M)"""
    return gy, gy.sum(0)
