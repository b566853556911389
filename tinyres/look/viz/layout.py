"""Places the boxes of a graph: in rows from inputs to loss, and within the rows so that few arrows cross.

After Sugiyama, Tagawa & Toda 1981, "Methods for visual understanding of hierarchical system structures", in three
steps: the longest path to a box gives its row; an arrow that passes rows gets a bend in each, which is placed like a
box; and then every box moves towards its neighbours, several times. In each row one box is placed first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

ROW_HEIGHT, GAP, SWEEPS = 72.0, 16.0, 24
BEND_WIDTH = 4.0
LEAF, OP, BEND = range(3)  # from left to right if nothing else decides
Point = tuple[float, float]


@dataclass
class Layout:
    """The centres of the boxes, and the bends of the arrows that pass rows; in pixels from the upper left corner."""

    width: float
    height: float
    places: dict[str, Point]
    bends: dict[tuple[str, str], list[Point]]  # for every arrow (from, to)


def lay_out(inputs: Mapping[str, Sequence[str]], widths: Mapping[str, float]) -> Layout:
    """inputs: {key: the keys it reads from}, each key after its inputs. widths: of the boxes, in pixels.

    Ops that are computed from each other run straight down, weights to their left and passing arrows to their right.
    """
    row = rows(inputs)
    boxes: list[list[str]] = [[] for _ in range(max(row.values(), default=-1) + 1)]
    for key, number in row.items():
        boxes[number].append(key)
    neighbours, chains = _with_bends(inputs, row, boxes)
    wide = {key: widths.get(key, BEND_WIDTH) for line in boxes for key in line}
    sort = {key: _sort(key, inputs) for key in wide}
    drawn_to = {key: _strongest(own, sort[key], sort) for key, own in neighbours.items()}
    x = dict.fromkeys(wide, 0.0)
    for sweep in range(SWEEPS):
        for number in range(len(boxes)) if sweep % 2 == 0 else reversed(range(len(boxes))):
            line = boxes[number]
            wished = {key: _wish(sort[key], [x[other] for other in drawn_to[key]], x[key]) for key in line}
            line.sort(key=lambda key: (round(wished[key]), sort[key]))
            firm = max(line, key=lambda key: (sort[key] == OP, len(neighbours[key]) * (sort[key] == LEAF)))
            _place(line, line.index(firm), wished, wide, x)
    left = min((x[key] - wide[key] / 2 for key in x), default=0.0) - GAP
    right = max((x[key] + wide[key] / 2 for key in x), default=0.0) + GAP
    at = {key: (x[key] - left, (number + 0.5) * ROW_HEIGHT) for number, line in enumerate(boxes) for key in line}
    bends = {ends: [at[key] for key in chain] for ends, chain in chains.items()}
    return Layout(right - left, len(boxes) * ROW_HEIGHT, {key: at[key] for key in inputs}, bends)


def _sort(key: str, inputs: Mapping[str, Sequence[str]]) -> int:
    if key not in inputs:
        return BEND
    return OP if inputs[key] else LEAF


def _strongest(neighbours: Sequence[str], own: int, sort: Mapping[str, int]) -> list[str]:
    """The neighbours to be aligned with: bends with bends, boxes with ops; or all, if there are none of these."""
    wanted = BEND if own == BEND else OP
    return [other for other in neighbours if sort[other] == wanted] or list(neighbours)


def rows(inputs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The row of each box, below its inputs. A box without inputs, such as a weight, is just above its first reader."""
    row: dict[str, int] = {}
    for key, sources in inputs.items():
        row[key] = 1 + max((row[source] for source in sources), default=-1)
    readers: dict[str, list[int]] = {}
    for key, sources in inputs.items():
        for source in sources:
            readers.setdefault(source, []).append(row[key])
    return {key: min(readers[key]) - 1 if not inputs[key] and key in readers else row[key] for key in inputs}


def _with_bends(
    inputs: Mapping[str, Sequence[str]], row: Mapping[str, int], boxes: list[list[str]]
) -> tuple[dict[str, list[str]], dict[tuple[str, str], list[str]]]:
    """The neighbours of each box in the next rows, and the bends of each arrow. Puts the bends into their rows."""
    neighbours: dict[str, list[str]] = {key: [] for key in inputs}
    chains: dict[tuple[str, str], list[str]] = {}
    for key, sources in inputs.items():
        for source in dict.fromkeys(sources):
            chain = [f"{source}>{key}>{number}" for number in range(row[source] + 1, row[key])]
            for number, bend in enumerate(chain, row[source] + 1):
                boxes[number].append(bend)
                neighbours[bend] = []
            chains[source, key] = chain
            path = [source, *chain, key]
            for above, below in pairwise(path):
                neighbours[above].append(below)
                neighbours[below].append(above)
    return neighbours, chains


def _wish(own: int, neighbours: Sequence[float], otherwise: float) -> float:
    """The x to move to: below the leftmost neighbour, so that one path stays straight; for a bend the middle."""
    if not neighbours:
        return otherwise
    return sum(neighbours) / len(neighbours) if own == BEND else min(neighbours)


def _place(
    line: Sequence[str], firm: int, wished: Mapping[str, float], wide: Mapping[str, float], x: dict[str, float]
) -> None:
    """Place line[firm] where it wishes to be, and the others beside it as near to their wishes as possible."""
    x[line[firm]] = wished[line[firm]]
    for before, key in pairwise(line[firm:]):
        x[key] = max(wished[key], x[before] + (wide[before] + wide[key]) / 2 + GAP)
    for after, key in pairwise(line[firm::-1]):
        x[key] = min(wished[key], x[after] - (wide[after] + wide[key]) / 2 - GAP)
