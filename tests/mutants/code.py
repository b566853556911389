"""Finds a piece of our own code by the function it belongs to, whatever file that is in, and puts other code there.

Code is compared by its syntax tree, so spaces, line breaks, quotes and comments do not matter.
"""

from __future__ import annotations

import ast
import importlib.util
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """Where a piece of code is: the nodes of a module's syntax tree, one after the other."""

    module: str
    nodes: Sequence[ast.AST]


@cache
def sources() -> dict[str, str]:
    """{module: its text}, for every module of ours; none is imported, for a trial does that itself."""
    texts = {}
    for package in ("tinyres", "tinyres_kernels"):
        folder = Path(importlib.util.find_spec(package).origin).parent
        for file in sorted(folder.rglob("*.py")):
            name = ".".join(file.relative_to(folder.parent).with_suffix("").parts)
            texts[name.removesuffix(".__init__")] = file.read_text(encoding="utf-8")
    return texts


@cache
def definitions(text: str) -> list[tuple[str, ast.AST]]:
    """Every class, method, function and constant of a module, by its qualified name, such as "Conv2d.backward"."""
    found: list[tuple[str, ast.AST]] = []

    def visit(node: ast.AST, scope: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                found.append((scope + child.name, child))
                visit(child, f"{scope}{child.name}.")
            else:
                visit(child, scope)

    tree = ast.parse(text)
    visit(tree, "")
    constants = [(ast.unparse(node.targets[0]), node) for node in tree.body if isinstance(node, ast.Assign)]
    return found + constants


def find(name: str, code: str, texts: Mapping[str, str]) -> Place:
    """The one place where `code`, an expression or a few statements, is in the function of that name.

    Several modules may have one of that name. Where the code does not tell them apart, a folder does: "array.conv2d" is
    conv2d in a module below array/.
    """
    wanted = ast.parse(textwrap.dedent(code)).body
    searched, places = set(), []
    for module, text in texts.items():
        if name.rpartition(".")[2] not in text:
            continue  # which spares most modules the parsing
        folders = ["", *(f"{part}." for part in module.split("."))]
        for known, tree in definitions(text):
            if name in [folder + known for folder in folders]:
                searched.add(module)
                places += [Place(module, nodes) for nodes in occurrences(tree, wanted)]
    if not searched:
        raise LookupError(f"nothing is called {name!r}: if it was renamed, use the new name")
    if not places:
        raise LookupError(f"{name} in {', '.join(sorted(searched))} does not contain this:\n{code}")
    if len(places) > 1:
        raise LookupError(
            f"{name} contains this {len(places)} times, in {', '.join(place.module for place in places)}; "
            f"give more of the code around it, or name a folder too, as in array.conv2d:\n{code}"
        )
    return places[0]


def occurrences(tree: ast.AST, wanted: Sequence[ast.stmt]) -> Iterator[Sequence[ast.AST]]:
    """Every place in the tree with these statements, or with this expression."""
    is_expression = len(wanted) == 1 and isinstance(wanted[0], ast.Expr)
    for node in ast.walk(tree):
        if is_expression and alike(node, wanted[0].value):
            yield [node]
        for _, block in ast.iter_fields(node):
            for start in range(len(block) if isinstance(block, list) and not is_expression else 0):
                run = block[start : start + len(wanted)]
                if len(run) == len(wanted) and all(map(alike, run, wanted)):
                    yield run


def alike(a: ast.AST, b: ast.AST) -> bool:
    return type(a) is type(b) and ast.unparse(a) == ast.unparse(b)


def with_code(text: str, nodes: Sequence[ast.AST], new: str) -> str:
    """The module's text with new code in place of these nodes: an expression in parentheses, statements indented."""
    lines = [line.encode() for line in text.split("\n")]  # a tree counts columns in bytes
    first, last = nodes[0], nodes[-1]
    before = b"\n".join([*lines[: first.lineno - 1], lines[first.lineno - 1][: first.col_offset]])
    after = b"\n".join([lines[last.end_lineno - 1][last.end_col_offset :], *lines[last.end_lineno :]])
    new = textwrap.dedent(new).strip()
    if isinstance(first, ast.expr) and isinstance(ast.parse(new).body[0], ast.Expr):
        new = f"({new})"
    else:
        new = textwrap.indent(new, " " * first.col_offset).lstrip()
    return before.decode() + new + after.decode()
