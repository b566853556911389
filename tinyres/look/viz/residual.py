"""Where an addition closes a residual connection: which of its inputs is the identity, and which the branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Ways(NamedTuple):
    """From the fork, where the ways part, to the addition.

    roles: of the addition's two inputs: identity or shortcut, and branch
    role_of: of every vertex between fork and addition
    """

    fork: int
    roles: tuple[str, str]
    role_of: dict[int, str]


def residual_ways(inputs: Mapping[int, Sequence[int]], add: int) -> Ways | None:
    """The two ways to the addition `add`; None where it closes no fork, or where both are equally long.

    inputs: {vertex: the vertices it reads}, numbered in the order in which they came to be.
    The fork is the last thing that both inputs were computed from. The way with fewer ops is the shortcut; with none
    at all it is the identity.
    """
    if len(inputs[add]) != 2:
        return None
    sources = tuple(inputs[add])
    above = [_ancestors(inputs, source) for source in sources]
    common = above[0] & above[1]
    if not common:
        return None
    fork = max(common)
    ways = [{v for v in own - common if fork in _ancestors(inputs, v)} for own in above]
    if len(ways[0]) == len(ways[1]):
        return None
    short = 0 if len(ways[0]) < len(ways[1]) else 1
    names = ["branch", "branch"]
    names[short] = "shortcut" if ways[short] else "identity"
    role_of = {v: name for way, name in zip(ways, names, strict=True) for v in way}
    return Ways(fork, (names[0], names[1]), role_of)


def _ancestors(inputs: Mapping[int, Sequence[int]], vertex: int) -> set[int]:
    """vertex and everything that it was computed from."""
    found: set[int] = set()
    waiting = [vertex]
    while waiting:
        v = waiting.pop()
        if v not in found:
            found.add(v)
            waiting.extend(inputs[v])
    return found
