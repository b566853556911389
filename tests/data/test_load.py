"""tinyres/data/__init__.py: the names, and what importing costs."""

import subprocess
import sys

import pytest

import tinyres
from tinyres.data import load


def test_shapes():
    train, test = load("shapes")
    assert (len(train), len(test), train.name) == (10_000, 2_000, "shapes")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cifar", "did you mean 'cifar10'"),
        ("shape", "did you mean 'shapes'"),
        ("mnist", "got 'mnist'$"),
        ("folder:", "did you mean 'folder:PATH'"),
    ],
)
def test_an_unknown_name_brings_the_choices(name, hint):
    with pytest.raises(ValueError, match=f"expected one of shapes, cifar10, cifar100, folder:PATH, .*{hint}"):
        load(name)


def test_importing_brings_in_nothing_heavy():
    code = f"""
import sys, types
sys.modules["tinyres"] = types.ModuleType("tinyres")  # in place of tinyres/__init__.py: what that imports is its affair
sys.modules["tinyres"].__path__ = {tinyres.__path__!r}
import tinyres.data
print(sorted({{"numba", "matplotlib", "PIL", "rich"}} & set(sys.modules)))
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
