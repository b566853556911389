"""The core can be read in an evening: it is small, it needs nothing outside itself, and docs/reading.md lists it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from docs import make_reading

ROOT = Path(__file__).parents[1]
WINGS = "check", "look", "scale", "app", "study"

pytestmark = pytest.mark.skipif(not (ROOT / "tinyres").is_dir(), reason="the sources are elsewhere: read in a checkout")


@pytest.fixture(scope="module")
def core():
    """The files that the README's training loop runs."""
    return make_reading.executed()


def test_the_core_is_small(core):
    lines = {file: make_reading.lines(file) for file in core}
    assert sum(lines.values()) <= 3000
    assert {file: count for file, count in lines.items() if count > 300} == {}


def test_the_page_lists_the_core(core):
    listed = make_reading.listed()
    assert len(listed) == len(set(listed)) and set(listed) == core
    written = make_reading.PAGE.read_text(encoding="utf-8")
    assert written == make_reading.page(), "`python -m docs.make_reading` writes the page anew"


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_the_readmes_give_its_size(core, readme):
    text = (ROOT / readme).read_text(encoding="utf-8")
    size = str(len(core)), f"{sum(map(make_reading.lines, core)):,}"
    (sentence,) = [line for line in text.split("\n\n") if "docs/reading.md" in line and size[0] in line]
    assert size[1] in sentence


def test_importing_tinyres_loads_no_wing():
    """Nor does importing what the loop imports."""
    code = "import sys, tinyres, tinyres.data, tinyres.models, tinyres.train; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "tinyres.autograd" in loaded.split()
    assert [name for name in loaded.split() if name.split(".")[:2] in [["tinyres", wing] for wing in WINGS]] == []


def test_the_core_imports_no_wing(core):
    """Not inside a function either. The front door, tinyres/__init__.py, is not of the core: it shows the wings too."""
    for file in core:
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert [name for name in names if name.split(".")[:2] in [["tinyres", wing] for wing in WINGS]] == [], file
