"""The mistakes that can be made in one place of a formula or a function: its source, changed as people often err.

An operator, a sign, a factor left out, one name for another, a constant, an axis, a call left out, = for +=. Run each
changed source and see which one gives the wrong result at hand: its words say what went wrong.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import permutations, repeat
from types import FrameType
from typing import Any

from tinyres.check.diagnosis.evidence import subsets

CALLS = {
    "sum": ("mean", "max", "prod"),
    "mean": ("sum",),
    "max": ("min", "mean", "sum"),
    "argmax": ("argmin",),
    "var": ("std",),
    "maximum": ("minimum",),
    "prod": ("sum",),
    "repeat": ("tile",),
    "sqrt": ("square",),
    "cos": ("sin",),
    "comb": ("perm",),
    "softmax": ("exp", "log_softmax"),
}
PARTS = {"+": "term", "-": "term", "*": "factor", "/": "divisor", "//": "part", "**": "part", "%": "part"}
IN_PLACE = "{new} is used in place of {node}"
EXCHANGED = (
    "A + B: A - B; A + B: A * B; A - B: A + B; A * B: A / B; A * B: A + B; A / B: A * B; A // B: A / B; A ** B: A * B; "
    "A - B: B - A; A / B: B / A; A > B: A < B; A > B: A >= B; A >= B: A > B; A >= B: A < B; A < B: A > B; "
    "A < B: A <= B; A <= B: A < B; A <= B: A > B"
)
RULES: tuple[tuple[int, str, str, str], ...] = (  # rank, frequent mistakes first; what is there; what comes; in words
    *(
        (0, f"A {o} B", kept, IN_PLACE if (o, lost) == ("/", "A") else f"the {part} {{{lost}}} is missing in {{node}}")
        for o, part in PARTS.items()
        for kept, lost in ("AB", "BA")
    ),
    *((1, right, wrong, IN_PLACE) for right, wrong in (change.split(": ") for change in EXCHANGED.split("; "))),
    *((1, f"A {o} (B {i} C)", f"(A {o} B) {i} C", f"a bracket: {IN_PLACE}") for o, i in permutations(PARTS, 2)),
    *((1, f"(A {i} B) {o} C", f"A {i} (B {o} C)", f"a bracket: {IN_PLACE}") for o, i in permutations(PARTS, 2)),
    *((1, f"A {o}= B", "A = B", "{node} has become an assignment: = in place of +=") for o in "+-*/"),
    (2, "-A", "A", "the minus of {node} is missing"),
    (2, "return V", "return -V", "the sign is wrong"),
    (2, "return V", "return np.maximum(V, 0)", "what is negative became 0, as by a ReLU; otherwise it is right"),
    (2, "return V", "return np.abs(V)", "the signs are lost; otherwise it is right"),
    (6, "return A, B", "return B, A", "the two results come in the wrong order"),
    *((7, line, "pass", "the line {node} is missing") for line in ("A += B", "A -= B", "A *= B", "A /= B", "A = B")),
    (8, "A @ B", "A.T @ B", "a .T too many, of {A} in {node}"),
    (8, "A @ B", "A @ B.T", "a .T too many, of {B} in {node}"),
    (8, "A @ B", "B @ A", "the factors of {node} are in the wrong order"),
    (8, "A.T", "A", "the .T of {node} is missing"),
)
PATTERNS = {pattern: ast.parse(pattern).body[0] for _, pattern, _, _ in RULES}
FILE = "<a mistake>"  # what the changed source is compiled under
Swaps = Mapping[str, Iterable[tuple[str, str]]]  # name -> (what people write in its place, in words or "")
Ways = Iterator[tuple[int, str, str]]  # (rank: frequent mistakes first, the new source of a node, what is wrong)


def mutants(source: str, swaps: Swaps) -> Iterator[tuple[str, str]]:
    """(the source with one mistake in it, the mistake in words); frequent mistakes first."""
    (statement,) = ast.parse(source).body
    body = (statement.body[1:] or statement.body) if isinstance(statement, ast.FunctionDef) else [statement]
    nodes = [node for part in body for node in ast.walk(part)]
    found = [(rank, [(node, new)], words) for node in nodes for rank, new, words in ways(node)]
    found += everywhere(nodes)
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            for new, words in swaps.get(node.id, ()):
                rank, text, said = due(10, new, node)
                found.append((rank, [(node, text)], words or said))
    for _, edits, words in sorted(found, key=lambda change: change[0]):
        yield spliced(source, edits), words


def spliced(source: str, edits: list[tuple[Any, str]]) -> str:
    """The source with the text of some nodes replaced."""
    lines = source.encode().splitlines(keepends=True)
    starts = [sum(map(len, lines[:k])) for k in range(len(lines))]
    places = [
        (starts[n.lineno - 1] + n.col_offset, starts[n.end_lineno - 1] + n.end_col_offset, new) for n, new in edits
    ]
    text = source.encode()
    for start, end, new in sorted(places, reverse=True):
        text = text[:start] + new.encode() + text[end:]
    return text.decode()


def code(node: ast.AST | str) -> str:
    return f"`{ast.unparse(ast.parse(node) if isinstance(node, str) else node)}`"


def due(rank: int, new: str, node: ast.AST, end: str = "") -> tuple[int, str, str]:
    """new, in brackets, in place of node."""
    return rank, f"({new})", f"{code(new)} is used in place of {code(node)}{end}"


def ways(node: ast.AST) -> Ways:
    """All that can go wrong at one node."""
    for rank, pattern, new, words in RULES:
        found: dict[str, ast.AST] = {}
        if bound(PATTERNS[pattern], node, found):
            filled = re.sub(r"\b[A-CV]\b", lambda name: f"({ast.unparse(found[name[0]])})", new)  # noqa: B023
            text = ast.unparse(ast.parse(filled))
            parts = {name: code(part) for name, part in found.items()}
            source = f"({text})" if isinstance(node, ast.expr) else text
            yield rank, source, words.format(new=f"`{text}`", node=code(node), **parts)
    match node:
        case ast.Call():
            yield from of_call(node)
        case ast.Constant(int() | float() as number) if not isinstance(number, bool):
            small = 0 < abs(number) < 0.01
            others = [0.0, *(number * 10.0**k for k in (-3, -2, 2, 3, -7))] if small else None
            for wrong in dict.fromkeys(others or (number + 1, number - 1, 2 * number, number / 2, 0, 1)):
                if wrong != number:
                    typed = type(number)(wrong) if wrong == int(wrong) else wrong
                    yield 5, f"({typed!r})", f"the number {wrong:g} is used in place of {number:g}"
        case ast.Tuple(elements) if elements and all(getattr(e, "value", None) in range(5) for e in elements):
            yield from of_axes(node, [getattr(e, "value", 0) for e in elements])
        case ast.Slice():
            yield from of_slice(node)


def bound(pattern: ast.AST, node: ast.AST, found: dict[str, ast.AST]) -> bool:
    """Whether the node looks like the pattern; found: what A, B, C and V (no tuple) stand for."""
    if isinstance(pattern, ast.Expr):
        return bound(pattern.value, node, found)
    if isinstance(pattern, ast.Name):
        found[pattern.id] = node
        return isinstance(node, ast.expr) and not (pattern.id == "V" and isinstance(node, ast.Tuple))
    if type(pattern) is not type(node) or getattr(pattern, "attr", "") != getattr(node, "attr", ""):
        return False
    inner, own = list(ast.iter_child_nodes(pattern)), list(ast.iter_child_nodes(node))
    return len(inner) == len(own) and all(map(bound, inner, own, repeat(found)))


def of_call(node: ast.Call) -> Ways:
    text, function = ast.unparse(node), node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if node.args and not node.keywords:
        argument = ast.unparse(node.args[0])
        words = f"{code(function)} is missing: {code(argument)} is used in place of {code(node)}"
        yield 0, f"({argument})", words
    if isinstance(function, ast.Attribute) and ast.unparse(function.value) != "np":
        yield 0, f"({ast.unparse(function.value)})", f"`.{name}(…)` is missing in {code(node)}"
    for other in CALLS.get(name, ()):
        new = ast.unparse(function).removesuffix(name) + other + text.removeprefix(ast.unparse(function))
        yield 3, new, f"`{other}` is used in place of `{name}`, in {code(node)}"
    if name == "pad" and not node.keywords:
        for mode in ("edge", "reflect"):
            yield 3, f"{text[:-1]}, mode='{mode}')", "the padding repeats what lies at the edge; it must be 0"
    if ", keepdims=True" in text and any(k.arg == "keepdims" for k in node.keywords):
        words = f"keepdims=True is missing in {code(node)}: the result is spread along another axis"
        yield 3, "".join(text.rsplit(", keepdims=True", 1)), words


def of_axes(node: ast.AST, numbers: list[int]) -> Ways:
    """(0, 2, 3): every other choice of axes."""
    for chosen in subsets(max(2, max(numbers) + 1)):
        if chosen != tuple(numbers):
            yield due(4, str(chosen), node, ": the wrong axis")


def of_slice(node: ast.Slice) -> Ways:
    lower, upper, step = (ast.unparse(n) if n else "" for n in (node.lower, node.upper, node.step))
    words = f"the slice `{ast.unparse(node)}`"
    for by in ("+ 1", "- 1"):
        if lower or by == "+ 1":
            yield 5, f"{lower} {by}:{upper}:{step or 1}", f"{words} begins at another place"
        if upper or by == "- 1":
            yield 5, f"{lower}:{upper} {by}:{step or 1}", f"{words} ends at another place"
    if step:
        yield 5, f"{lower}:{upper}", f"the step of {words} is missing"


def everywhere(nodes: list[ast.AST]) -> Iterator[tuple[int, list[tuple[Any, str]], str]]:
    """The same change at all its places: a stride of rows and of columns, an axis. And what happens to loops."""
    names = dict.fromkeys(n.id for n in nodes if isinstance(n, ast.Name))
    for name in names:
        edits = [(n, f"({ast.unparse(kept)})") for n in nodes if (kept := without_factor(n, name)) is not None]
        if len(edits) > 1:
            yield 9, edits, f"the factor `{name}` is missing wherever it is one"
    numbers = [(n, n.value) for n in nodes if isinstance(n, ast.Constant) and type(n.value) is int]
    for value in dict.fromkeys(v for _, v in numbers):
        same = [n for n, v in numbers if v == value]
        for other in (value + 1, value - 1) if len(same) > 1 else ():
            yield 9, [(n, f"({other})") for n in same], f"{other} is used everywhere in place of {value}"
    for node in nodes:
        loop = isinstance(node, ast.For)
        if loop or isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            source = node.iter if loop else node.generators[0].iter  # type: ignore[attr-defined]
            text = f"list({ast.unparse(source)})"
            if loop:
                yield 7, [(source, f"reversed({text})")], "the loop runs in the wrong direction"
            for part, what in (("[1:]", "first"), ("[:-1]", "last")):
                words = (
                    f"the loop leaves out the {what} of all" if loop else f"the {what} of {code(source)} is left out"
                )
                yield 6, [(source, text + part)], words


def without_factor(node: ast.AST, name: str) -> ast.AST | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for own, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(own, ast.Name) and own.id == name:
                return other
    return None


def names_in(source: str) -> list[str]:
    """The parameters and variables of a function, in the order in which they are named."""
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    stored = (n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return [a.arg for a in function.args.args] + [name for name in dict.fromkeys(stored) if name != "_"]


@contextmanager
def at_most(lines: int) -> Iterator[None]:
    """Inside, changed sources may run this many lines; then TimeoutError, because a changed loop may never end."""
    left = lines

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != FILE:
            return None
        left -= event == "line"
        if left < 0:
            raise TimeoutError(f"more than {lines} lines")
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)


def replaced(source: str, name: str, new: str) -> str:
    """Another name, or a formula, wherever a name is used."""
    return re.sub(rf"(?<![\w.]){name}(?!\w)", f"({new})", source)
