"""Mutants by machine: every place where the source could say something else, and a draw among them.

Whoever plants bugs by hand plants those that come to mind. Here nobody chooses: the syntax trees of our modules give
all *sites*, and a hash of (seed, site) orders them; the first DRAWN are the mutants. A site is named after its function
and its statement, so editing the sources changes the sites that it touches and no others, and moving a function to
another module, or formatting it anew, changes none.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import cache
from typing import Any

from mutants.code import sources, with_code

SEED = 0
DRAWN = 60
MODULES = (
    "tinyres.ops.*",
    "tinyres.autograd",
    "tinyres.modes",
    "tinyres.optim.*",
    "tinyres_kernels.array.*",
    "tinyres_kernels.reference.*",
)
OTHER = {  # every operator, and what replaces it
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
NEVER_RUN = {"annotation", "returns", "bases", "decorator_list"}  # fields of a syntax tree with no site in them


@dataclass(frozen=True)
class Site:
    """A node of a module's syntax tree, and the code that replaces it.

    name: the function and the statement that the node is in, with «old → new» in its place.
    """

    name: str
    module: str
    node: ast.AST
    new: str

    def source(self) -> str:
        return with_code(sources()[self.module], [self.node], self.new)


def draw(number: int = DRAWN) -> list[Site]:
    """The mutants."""
    return sorted(all_sites(), key=lambda site: hashlib.sha256(f"{SEED} {site.name}".encode()).digest())[:number]


@cache
def all_sites() -> tuple[Site, ...]:
    """Those of all MODULES, numbered where several have one name."""
    seen: Counter[str] = Counter()
    result = []
    for module in (name for name in sources() if any(fnmatch(name, pattern) for pattern in MODULES)):
        for site in sites(module, sources()[module]):
            seen[site.name] += 1
            result.append(replace(site, name=f"{site.name} ({seen[site.name]})") if seen[site.name] > 1 else site)
    return tuple(result)


def sites(module: str, text: str) -> Iterator[Site]:
    """Those of one module."""
    rung = module.split(".")[1] + "." if module.startswith("tinyres_kernels.") else ""
    for function, statement, holder, key in nodes(ast.parse(text)):
        node = holder[key]
        for wrong in variants(node):
            new = ast.unparse(wrong)
            holder[key] = ast.Name(f"«{ast.unparse(node)} → {new}»")
            line = ast.unparse(holder[key]) if node is statement else first_line(statement)
            holder[key] = node
            name = f"{rung}{function}: {line}".replace(
                '"', "'"
            )  # inside messages the quotes depend on Python's version
            yield Site(name, module, node, new)


def nodes(node: ast.AST, function: str = "", statement: ast.AST | None = None) -> Iterator[tuple[str, Any, Any, Any]]:
    """Every node below, as holder[key], with the name of its function and the statement that it is or belongs to."""
    for field, value in ast.iter_fields(node):
        holder, keys = (value, range(len(value))) if isinstance(value, list) else (vars(node), [field])
        for key in keys if field not in NEVER_RUN else ():
            child = holder[key]
            if isinstance(child, ast.AST) and not is_passed_over(child):
                is_definition = isinstance(child, ast.ClassDef | ast.FunctionDef)
                inner = f"{function}.{child.name}".lstrip(".") if is_definition else function
                around = child if isinstance(child, ast.stmt) else statement
                yield inner, around, holder, key
                yield from nodes(child, inner, around)


def is_passed_over(node: ast.AST) -> bool:
    """A message, a type, or code for type checkers only: no value of the program depends on these."""
    match node:
        case ast.JoinedStr():
            return True
        case ast.Assign([ast.Name(name)]):
            return re.fullmatch("[A-Z][a-z]+", name) is not None  # Array = Any
        case ast.If(ast.Name("TYPE_CHECKING")):
            return True
    return False


def first_line(statement: ast.AST) -> str:
    """The statement; of one that contains others, such as `if`, the line before them."""
    bare = copy(statement)
    for field in {"body", "orelse", "finalbody", "handlers", "decorator_list"} & set(bare._fields):
        setattr(bare, field, [])
    return ast.unparse(bare).strip().splitlines()[0]


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What could be written by mistake instead of this node."""
    match node:
        case ast.BinOp(left, ast.MatMult() as op, right):
            yield ast.BinOp(right, op, left)
        case ast.BinOp(left, op, right):
            yield ast.BinOp(left, OTHER[type(op)](), right)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(OTHER[type(op)](), values)
        case ast.UnaryOp(operand=operand):  # `not` or a sign dropped
            yield operand
        case ast.Compare(left, ops, values):
            for k, op in enumerate(ops):
                yield ast.Compare(left, [*ops[:k], OTHER[type(op)](), *ops[k + 1 :]], values)
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):  # an axis, perhaps
            yield ast.Constant(value + 1)
        case ast.Call(function, [first, second, *others], keywords):
            if not isinstance(first, ast.Starred) and not isinstance(second, ast.Starred):
                yield ast.Call(function, [second, first, *others], keywords)
        case ast.AugAssign(target, op, value):
            yield ast.AugAssign(target, OTHER[type(op)](), value)
            yield ast.Pass()
        case ast.Expr(ast.Constant() | ast.Yield()):  # a docstring
            pass
        case ast.Assign() | ast.Raise() | ast.Expr():
            yield ast.Pass()
