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
from types import FrameType
from typing import Any

OPERATORS: dict[type, tuple[str, ...]] = {
    ast.Add: ("-", "*"),
    ast.Sub: ("+",),
    ast.Mult: ("/", "+"),
    ast.Div: ("*",),
    ast.FloorDiv: ("/",),
    ast.Pow: ("*",),
    ast.Gt: ("<", ">="),
    ast.GtE: (">", "<"),
    ast.Lt: (">", "<="),
    ast.LtE: ("<", ">"),
}
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
LOST = {ast.Add: "the term", ast.Sub: "the term", ast.Mult: "the factor", ast.Div: "the divisor"}
FILE = "<a mistake>"  # what the changed source is compiled under
Swaps = Mapping[str, Iterable[tuple[str, str]]]  # name -> (what people write in its place, in words or "")
Ways = Iterator[tuple[int, str, str]]  # (rank: frequent mistakes first, the new source of a node, what is wrong)


def mutants(source: str, swaps: Swaps) -> Iterator[tuple[str, str]]:
    """(the source with one mistake in it, the mistake in words); frequent mistakes first."""
    (statement,) = ast.parse(source).body
    body = (statement.body[1:] or statement.body) if isinstance(statement, ast.FunctionDef) else [statement]
    nodes = [node for part in body for node in ast.walk(part)]
    found = [
        (rank, [(node, new)], words) for node in nodes for rank, new, words in (*ways(node), *swapped(node, swaps))
    ]
    found += everywhere(nodes)
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
    match node:
        case ast.BinOp(left, ast.MatMult(), right):
            a, b = f"({ast.unparse(left)})", f"({ast.unparse(right)})"
            for new, side in ((f"({a}.T @ {b})", left), (f"({a} @ {b}.T)", right)):
                yield 8, new, f"a .T too many, of {code(side)} in {code(node)}"
            yield 8, f"({b} @ {a})", f"the factors of {code(node)} are in the wrong order"
        case ast.BinOp(left, op, right):
            yield from of_operation(node, left, op, right)
        case ast.Compare(left, [op], [right]):
            for other in OPERATORS.get(type(op), ()):
                yield due(1, f"{ast.unparse(left)} {other} {ast.unparse(right)}", node)
        case ast.AugAssign(target, _, value):
            new = f"{ast.unparse(target)} = {ast.unparse(value)}"
            yield 1, new, f"{code(node)} has become an assignment: = in place of +="
            yield 7, "pass", f"the line {code(node)} is missing"
        case ast.Assign():
            yield 7, "pass", f"the line {code(node)} is missing"
        case ast.UnaryOp(ast.USub(), operand):
            yield 2, f"({ast.unparse(operand)})", f"the minus of {code(node)} is missing"
        case ast.Return(ast.Tuple([first, second])):
            yield 6, f"return {ast.unparse(second)}, {ast.unparse(first)}", "the two results come in the wrong order"
        case ast.Return(ast.expr() as value) if not isinstance(value, ast.Tuple):
            text = ast.unparse(value)
            yield 2, f"return -({text})", "the sign is wrong"
            negative = "what is negative became 0, as by a ReLU; otherwise it is right"
            yield 2, f"return np.maximum({text}, 0)", negative
            yield 2, f"return np.abs({text})", "the signs are lost; otherwise it is right"
        case ast.Call():
            yield from of_call(node)
        case ast.Constant(int() | float() as number) if is_number(node):
            small = 0 < abs(number) < 0.01
            others = [0.0, *(number * 10.0**k for k in (-3, -2, 2, 3, -7))] if small else None
            for wrong in dict.fromkeys(others or (number + 1, number - 1, 2 * number, number / 2, 0, 1)):
                if wrong != number:
                    typed = type(number)(wrong) if wrong == int(wrong) else wrong
                    yield 5, f"({typed!r})", f"the number {wrong:g} is used in place of {number:g}"
        case ast.Attribute(value, "T"):
            yield 8, f"({ast.unparse(value)})", f"the .T of {code(node)} is missing"
        case ast.Tuple(elements) if elements and all(getattr(e, "value", None) in range(5) for e in elements):
            yield from of_axes(node, [getattr(e, "value", 0) for e in elements])
        case ast.Slice():
            yield from of_slice(node)


def of_operation(node: ast.AST, left: ast.expr, op: ast.operator, right: ast.expr) -> Ways:
    a, b = f"({ast.unparse(left)})", f"({ast.unparse(right)})"
    for kept, lost in ((left, right), (right, left)):
        if isinstance(op, ast.Div) and lost is left:
            yield due(0, ast.unparse(kept), node)
        else:
            words = f"{LOST.get(type(op), 'the part')} {code(lost)} is missing in {code(node)}"
            yield 0, f"({ast.unparse(kept)})", words
    for other in OPERATORS.get(type(op), ()):
        yield due(1, f"{a} {other} {b}", node)
    own = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Pow: "**"}.get(
        type(op), "%"
    )
    if isinstance(op, (ast.Sub, ast.Div)):
        yield due(1, f"{b} {own} {a}", node)
    for side, inner in (("left", left), ("right", right)):
        if isinstance(inner, ast.BinOp) and type(inner.op) is not type(op) and not isinstance(inner.op, ast.MatMult):
            text = ast.unparse(node)
            first, second = f"({ast.unparse(inner.left)})", f"({ast.unparse(inner.right)})"
            sign = ast.unparse(ast.BinOp(ast.Name("a"), inner.op, ast.Name("b")))[2:-2]
            new = f"({a} {own} {first}) {sign} {second}" if side == "right" else f"{first} {sign} ({second} {own} {b})"
            if ast.unparse(ast.parse(new)) != text:
                rank, source, words = due(1, new, node)
                yield rank, source, f"a bracket: {words}"


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
    count = max(2, max(numbers) + 1)
    for bits in sorted(range(1, 2**count), key=int.bit_count):
        chosen = tuple(k for k in range(count) if bits >> k & 1)
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


def swapped(node: ast.AST, swaps: Swaps) -> Ways:
    """A name in place of another; and loops that leave something out, or run backwards."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        for new, words in swaps.get(node.id, ()):
            rank, source, said = due(10, new, node)
            yield rank, source, words or said


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


def is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


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
