"""What went wrong, where nobody foresaw it: one change to our solution that gives what the learner's function gives.

The solution's syntax tree is changed in one place, in every way that people are known to err: an operator, a sign, a
factor left out, one name for another, a constant, an axis, a call left out, = for +=. Each of the hundred functions
that come of it is run on the same random inputs. One that agrees with the learner's in every element of every draw
says what the learner did.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from tinyres.study.course.source import source_of

OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div,),
    ast.Pow: (ast.Mult,),
    ast.Gt: (ast.Lt, ast.GtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Lt: (ast.Gt, ast.LtE),
    ast.LtE: (ast.Lt, ast.Gt),
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
}
MOST = 500  # changes that are tried


class Change(NamedTuple):
    """new: what stands in whose place, by id; words: what it does, as said to the learner."""

    new: dict[int, ast.AST | None]
    words: str


def mutants(function: Callable[..., Any]) -> Iterator[tuple[Callable[..., Any], str]]:
    """(a function that goes wrong in one place, what is wrong in it)"""
    tree = ast.parse(source_of(function))
    body = tree.body[0]
    assert isinstance(body, ast.FunctionDef)
    names = [a.arg for a in body.args.args] + assigned(body)
    homes = {id(child): home for parent in ast.walk(tree) for child, home in children(parent)}
    for count, change in enumerate(changes(body, names)):
        if count == MOST:
            return
        space = dict(function.__globals__)
        try:
            exec(compiled(tree, homes, change.new), space)
        except SyntaxError:
            continue
        yield space[function.__name__], change.words


Home = tuple[ast.AST, str, int | None]  # a node's parent, the field it stands in, and where in a list


def children(parent: ast.AST) -> Iterator[tuple[ast.AST, Home]]:
    for name, value in ast.iter_fields(parent):
        if isinstance(value, list):
            yield from ((child, (parent, name, k)) for k, child in enumerate(value) if isinstance(child, ast.AST))
        elif isinstance(value, ast.AST):
            yield value, (parent, name, None)


def compiled(tree: ast.Module, homes: dict[int, Home], new: dict[int, ast.AST | None]) -> CodeType:
    """The tree with some nodes exchanged. They are put in, and taken out again: to copy it all takes much longer."""
    before = []
    try:
        for old, node in new.items():
            parent, name, k = homes[old]
            before.append((parent, name, k, getattr(parent, name) if k is None else getattr(parent, name)[k]))
            put(parent, name, k, node)
        return compile(ast.fix_missing_locations(tree), "<a mistake>", "exec")
    finally:
        for parent, name, k, node in reversed(before):
            put(parent, name, k, node)


def put(parent: ast.AST, name: str, k: int | None, node: ast.AST | None) -> None:
    if k is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[k] = node


def explained_by(function: Callable[..., Any], agrees: Callable[[Callable[..., Any]], bool]) -> str | None:
    """What is wrong in the first mutant of function that agrees."""
    with np.errstate(all="ignore"):
        for wrong, words in mutants(function):
            try:
                if agrees(wrong):
                    return words
            except Exception:  # many changes make no sense: shapes that do not fit, names without a value
                continue
    return None


def assigned(body: ast.FunctionDef) -> list[str]:
    found = (n.id for n in ast.walk(body) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return [name for name in dict.fromkeys(found) if name != "_"]


def changes(body: ast.FunctionDef, names: list[str]) -> Iterator[Change]:
    """Those first that are made the most."""
    places = [n for statement in body.body[1:] or body.body for n in ast.walk(statement)]
    for kind in (left_out, operator, sign, call, axes, constant, returned, statement, transposed):
        for node in places:
            for new, words in kind(node, names):
                yield Change({id(node): new}, words)
    yield from everywhere(places, names)
    for node in places:
        for new, words in another_name(node, names):
            yield Change({id(node): new}, words)


def everywhere(places: list[ast.AST], names: list[str]) -> Iterator[Change]:
    """The same change at all its places: a stride of rows and of columns, an axis."""
    for name in names:
        kept: dict[int, ast.AST | None]
        kept = {id(n): part for n in places for part in [without_factor(n, name)] if part is not None}
        if len(kept) > 1:
            yield Change(kept, f"the factor `{name}` is missing wherever it is one")
    numbers = [(n, n.value) for n in places if isinstance(n, ast.Constant) and type(n.value) is int]
    for value in dict.fromkeys(v for _, v in numbers):
        same = [n for n, v in numbers if v == value]
        for other in (value + 1, value - 1) if len(same) > 1 else ():
            new: dict[int, ast.AST | None] = {id(n): ast.Constant(other) for n in same}
            yield Change(new, f"{other} stands everywhere where {value} is due")


def without_factor(node: ast.AST, name: str) -> ast.AST | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for own, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(own, ast.Name) and own.id == name:
                return other
    return None


def code(node: ast.AST) -> str:
    return f"`{ast.unparse(node)}`"


Ways = Iterator[tuple[ast.AST | None, str]]


def is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def left_out(node: ast.AST, names: list[str]) -> Ways:
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.MatMult):
        for kept, lost in ((node.left, node.right), (node.right, node.left)):
            what = {ast.Add: "the term", ast.Sub: "the term", ast.Mult: "the factor", ast.Div: "the divisor"}
            words = f"{what.get(type(node.op), 'the part')} {code(lost)} is missing in {code(node)}"
            upside = isinstance(node.op, ast.Div) and lost is node.left
            yield kept, f"{code(kept)} stands where {code(node)} is due" if upside else words
    if isinstance(node, ast.Call) and node.args and not node.keywords and len(node.args) == 1:
        yield node.args[0], f"{code(node.func)} is missing: {code(node.args[0])} stands where {code(node)} is due"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield node.func.value, f"`.{node.func.attr}(…)` is missing in {code(node)}"


def operator(node: ast.AST, names: list[str]) -> Ways:
    if isinstance(node, ast.BinOp):
        for other in OPERATORS.get(type(node.op), ()):
            new: ast.AST = ast.BinOp(node.left, other(), node.right)
            yield new, f"{code(new)} stands where {code(node)} is due"
        if isinstance(node.op, (ast.Sub, ast.Div)):
            new = ast.BinOp(node.right, node.op, node.left)
            yield new, f"{code(new)} stands where {code(node)} is due"
        for side in ("left", "right"):
            inner = getattr(node, side)
            if isinstance(inner, ast.BinOp) and type(inner.op) is not type(node.op):
                new = regrouped(node, inner, side)
                yield new, f"a bracket: {code(new)} stands where {code(node)} is due"
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in OPERATORS.get(type(node.ops[0]), ()):
            new = ast.Compare(node.left, [other()], node.comparators)
            yield new, f"{code(new)} stands where {code(node)} is due"
    if isinstance(node, ast.AugAssign):
        yield ast.Assign([node.target], node.value), f"{code(node)} has become an assignment: = where += is due"


def regrouped(node: ast.BinOp, inner: ast.BinOp, side: str) -> ast.BinOp:
    """a·(b + c) as (a·b) + c, and (a + b)·c as a + (b·c)"""
    if side == "right":
        return ast.BinOp(ast.BinOp(node.left, node.op, inner.left), inner.op, inner.right)
    return ast.BinOp(inner.left, inner.op, ast.BinOp(inner.right, node.op, node.right))


def sign(node: ast.AST, names: list[str]) -> Ways:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand, f"the minus of {code(node)} is missing"
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Tuple):
        yield ast.Return(ast.UnaryOp(ast.USub(), node.value)), "the sign is wrong"
        for name, words in (("maximum", "what is negative became 0, as by a ReLU"), ("abs", "the signs are lost")):
            function = ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load())
            arguments = [node.value, ast.Constant(0)][: 1 + (name == "maximum")]
            yield ast.Return(ast.Call(function, arguments, [])), f"{words}; otherwise it is right"


def call(node: ast.AST, names: list[str]) -> Ways:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    for other in CALLS.get(node.func.attr, ()):
        new = ast.Call(ast.Attribute(node.func.value, other, ast.Load()), node.args, node.keywords)
        yield new, f"`{other}` stands where `{node.func.attr}` is due, in {code(node)}"
    if node.func.attr == "pad" and not node.keywords:
        for mode in ("edge", "reflect"):
            keyword = ast.keyword("mode", ast.Constant(mode))
            yield ast.Call(node.func, node.args, [keyword]), "the padding repeats what lies at the edge; it must be 0"
    for k, keyword in enumerate(node.keywords):
        if keyword.arg == "keepdims":
            new = ast.Call(node.func, node.args, node.keywords[:k] + node.keywords[k + 1 :])
            yield new, f"keepdims=True is missing in {code(node)}: the result is spread along another axis"


def axes(node: ast.AST, names: list[str]) -> Ways:
    """(0, 2, 3): every smaller choice."""
    if isinstance(node, ast.Tuple) and len(node.elts) > 1 and all(is_number(e) for e in node.elts):
        for bits in range(1, 2 ** len(node.elts) - 1):
            chosen = [e for k, e in enumerate(node.elts) if bits >> k & 1]
            new = ast.Tuple(chosen, ast.Load())
            yield new, f"{code(new)} stands where {code(node)} is due"


def constant(node: ast.AST, names: list[str]) -> Ways:
    if isinstance(node, ast.Constant) and is_number(node):
        value: Any = node.value
        small = 0 < abs(value) < 0.01
        others = (0.0, *(value * 10.0**k for k in (-3, -2, 2, 3, -7))) if small else ()
        for other in dict.fromkeys(others or (value + 1, value - 1, 2 * value, value / 2, 0, 1)):
            if other != value:
                words = f"the number {other:g} stands where {value:g} is due"
                yield ast.Constant(type(value)(other) if other == int(other) else other), words
    if isinstance(node, ast.Slice):
        for end, old in (("lower", node.lower), ("upper", node.upper)):
            for by in (1, -1):
                if old is None and (end == "upper") == (by == 1):
                    continue
                shifted = ast.BinOp(old, ast.Add(), ast.Constant(by)) if old is not None else ast.Constant(by)
                lower, upper = (shifted, node.upper) if end == "lower" else (node.lower, shifted)
                new = ast.Slice(lower, upper, node.step)
                yield new, f"the slice {code(node)} {'begins' if end == 'lower' else 'ends'} at another place"
        if node.step is not None:
            yield ast.Slice(node.lower, node.upper, None), f"the step of the slice {code(node)} is missing"


def returned(node: ast.AST, names: list[str]) -> Ways:
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
        first, second = node.value.elts
        yield ast.Return(ast.Tuple([second, first], ast.Load())), "the two results come in the wrong order"
    if isinstance(node, (ast.ListComp, ast.GeneratorExp)) and len(node.generators) == 1:
        source = node.generators[0].iter
        for part, what in ((slice(1, None), "first"), (slice(None, -1), "last")):
            ends = [None if n is None else ast.Constant(n) for n in (part.start, part.stop)]
            some = ast.Subscript(source, ast.Slice(*ends), ast.Load())
            new = type(node)(node.elt, [ast.comprehension(node.generators[0].target, some, [], 0)])
            yield new, f"the {what} of {code(source)} is left out"


def statement(node: ast.AST, names: list[str]) -> Ways:
    if isinstance(node, (ast.Assign, ast.AugAssign)):
        yield ast.Pass(), f"the line {code(node)} is missing"
    if isinstance(node, ast.For):
        back = ast.Call(ast.Name("reversed", ast.Load()), [ast.Call(ast.Name("list", ast.Load()), [node.iter], [])], [])
        yield ast.For(node.target, back, node.body, node.orelse), "the loop runs in the wrong direction"
        for some, what in ((slice(1, None), "first"), (slice(None, -1), "last")):
            ends = [None if n is None else ast.Constant(n) for n in (some.start, some.stop)]
            listed = ast.Call(ast.Name("list", ast.Load()), [node.iter], [])
            part = ast.Subscript(listed, ast.Slice(*ends), ast.Load())
            yield ast.For(node.target, part, node.body, node.orelse), f"the loop leaves out the {what} of all"


def transposed(node: ast.AST, names: list[str]) -> Ways:
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value, f"the .T of {code(node)} is missing"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        for k, side in enumerate((node.left, node.right)):
            turned = ast.Attribute(side, "T", ast.Load())
            sides = (turned, node.right) if k == 0 else (node.left, turned)
            yield ast.BinOp(sides[0], node.op, sides[1]), f"a .T too many, of {code(side)} in {code(node)}"
        yield ast.BinOp(node.right, node.op, node.left), f"the factors of {code(node)} stand in the wrong order"


def another_name(node: ast.AST, names: list[str]) -> Ways:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        for other in names:
            if other != node.id:
                yield ast.Name(other, ast.Load()), f"`{other}` stands where `{node.id}` is due"
        yield ast.Constant(0), f"0 stands where `{node.id}` is due"
