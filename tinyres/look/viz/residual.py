"""For an addition that closes a residual connection: which of its inputs is the identity, and which the branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Paths(NamedTuple):
    """The two paths from a fork to the addition.

    roles: of the addition's two inputs: identity or shortcut, and branch
    role_of: the role of every vertex between fork and addition
    """

    fork: int
    roles: tuple[str, str]
    role_of: dict[int, str]


def residual_paths(inputs: Mapping[int, Sequence[int]], add: int) -> Paths | None:
    """The two paths to the addition `add`; None if it closes no fork, or if both are equally long.

    inputs: {vertex: the vertices it reads}, numbered in the order of computation.
    The fork is the last vertex that both inputs were computed from. The path with fewer ops is the shortcut; a path
    without any op is the identity.
    """
    if len(inputs[add]) != 2:
        return None
    sources = tuple(inputs[add])
    above = [_ancestors(inputs, source) for source in sources]
    common = above[0] & above[1]
    if not common:
        return None
    fork = max(common)
    paths = [{v for v in own - common if fork in _ancestors(inputs, v)} for own in above]
    if len(paths[0]) == len(paths[1]):
        return None
    short = 0 if len(paths[0]) < len(paths[1]) else 1
    names = ["branch", "branch"]
    names[short] = "shortcut" if paths[short] else "identity"
    role_of = {v: name for path, name in zip(paths, names, strict=True) for v in path}
    return Paths(fork, (names[0], names[1]), role_of)


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
