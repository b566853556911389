"""Mutants by machine: every place where the source could say something else, and a draw among them.

A hand that plants bugs plants those it has thought of. So here nobody chooses: the syntax tree of each module gives
all *sites*, and a hash of (seed, site) puts them in an order; the first DRAWN are the mutants. An edit to the sources
changes the sites it touches, and leaves all the others in their places.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import tinyres
import tinyres_kernels
from mutants.mutant import source_of

SEED = 0
DRAWN = 60
PACKAGES = {"tinyres": tinyres, "tinyres_kernels": tinyres_kernels}
MODULES = (
    "tinyres.ops.*",
    "tinyres.autograd",
    "tinyres.optim.*",
    "tinyres_kernels.array.*",
    "tinyres_kernels.reference.*",
)
OTHER = {  # every operator, and what comes in its place
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
    ast.LShift: ("<<", ">>"),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}


@dataclass(frozen=True)
class Site:
    """In the module's source, at `start`, stands `old`; the mutant says `new`.

    name: the lines around it, and in them «old → new».
    """

    name: str
    module: str
    start: int
    old: str
    new: str

    def source(self) -> str:
        text = source_of(self.module)
        if not text.startswith(self.old, self.start):
            raise ValueError(f"{self.name}: expected in {self.module} at character {self.start}:\n{self.old}")
        return text[: self.start] + self.new + text[self.start + len(self.old) :]


def draw(number: int = DRAWN) -> list[Site]:
    """The mutants."""
    return sorted(all_sites(), key=lambda site: hashlib.sha256(f"{SEED} {site.name}".encode()).digest())[:number]


@cache
def all_sites() -> tuple[Site, ...]:
    return tuple(site for module in modules() for site in sites(module, source_of(module)))


def modules() -> list[str]:
    """The names of all that MODULES mean."""
    names = []
    for pattern in MODULES:
        package, _, rest = pattern.partition(".")
        files = Path(PACKAGES[package].__file__).parent.glob(rest.replace(".", "/") + ".py")
        names += [pattern.removesuffix("*") + file.stem if "*" in pattern else pattern for file in sorted(files)]
    return [name for name in names if not name.endswith("__init__")]


def sites(module: str, text: str) -> Iterator[Site]:
    """All sites of one module, numbered where several would have one name."""
    seen: Counter[str] = Counter()
    finder = Finder(text)
    finder.visit(ast.parse(text))
    for function, start, end, new in finder.found:
        before = text[text.rfind("\n", 0, start) + 1 : start]
        after = text[end : text.find("\n", end)]
        line = " ".join(f"{before}«{text[start:end]} → {new}»{after}".split())
        name = f"{module.partition('.')[2]} {function}: {line}"
        seen[name] += 1
        yield Site(f"{name} ({seen[name]})" if seen[name] > 1 else name, module, start, text[start:end], new)


class Finder(ast.NodeVisitor):
    """Walks a syntax tree and collects (function, start, end, new text)."""

    def __init__(self, text: str):
        self.text, self.scope = text, list[str]()
        self.lines = [0]  # where in the text each line starts
        for line in text.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))
        self.found: list[tuple[str, int, int, str]] = []

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where in the text the node lies; the tree counts bytes of UTF-8."""
        return self.place(node.lineno, node.col_offset), self.place(node.end_lineno, node.end_col_offset)

    def place(self, line: int, column: int) -> int:
        start, end = self.lines[line - 1 : line + 1]
        return start + len(self.text[start:end].encode()[:column].decode())

    def code(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def replace(self, start: int, end: int, new: str) -> None:
        self.found.append((".".join(self.scope), start, end, new))

    # ---- what is passed over: no value of the program depends on it, or it is a message ----

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """A message."""

    def visit_If(self, node: ast.If) -> None:
        if self.code(node.test) != "TYPE_CHECKING":
            self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        """A parameter, of which only the annotation could differ."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.inside(node, node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        defaults = [default for default in node.args.kw_defaults if default is not None]
        self.inside(node, [*node.args.defaults, *defaults, *node.body])

    def inside(self, node: ast.ClassDef | ast.FunctionDef, parts: list) -> None:
        self.scope.append(node.name)
        for part in parts:
            self.visit(part)
        self.scope.pop()

    # ---- operators ----

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.MatMult):
            self.replace(*self.span(node), f"(({self.code(node.right)}) @ ({self.code(node.left)}))")
        else:
            self.operator(node, node.op, node.left, node.right)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for op, left, right in zip(node.ops, [node.left, *node.comparators], node.comparators, strict=False):
            self.operator(node, op, left, right)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in pairwise(node.values):
            self.operator(node, node.op, left, right)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.operator(node, node.op, node.target, node.value)
        self.removed(node)

    def operator(self, whole: ast.AST, op: ast.AST, left: ast.AST, right: ast.AST) -> None:
        """It stands somewhere between its operands, among blanks and parentheses."""
        old, new = OTHER[type(op)]
        (start, end), (_, left_end), (right_start, _) = self.span(whole), self.span(left), self.span(right)
        between = self.text[left_end:right_start].replace(old, new, 1)
        self.replace(start, end, self.text[start:left_end] + between + self.text[right_start:end])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """`not` or a sign dropped."""
        self.replace(*self.span(node), f"({self.code(node.operand)})")
        self.generic_visit(node)

    # ---- constants (axes among them), arguments, statements ----

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.replace(*self.span(node), str(not node.value))
        elif isinstance(node.value, (int, float)):
            self.replace(*self.span(node), repr(node.value + 1))

    def visit_Call(self, node: ast.Call) -> None:
        """The first two arguments exchanged."""
        if len(node.args) > 1 and not any(isinstance(argument, ast.Starred) for argument in node.args[:2]):
            (start, at), (until, end) = self.span(node.args[0]), self.span(node.args[1])
            self.replace(start, end, self.text[until:end] + self.text[at:until] + self.text[start:at])
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.removed(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self.removed(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, (ast.Constant, ast.Yield)):  # a docstring
            self.removed(node)

    def removed(self, node: ast.stmt) -> None:
        self.replace(*self.span(node), "pass")
        self.generic_visit(node)
