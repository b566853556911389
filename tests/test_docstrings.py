"""Every example in a docstring gives what it says."""

import doctest
import importlib
import pkgutil

import pytest

import tinyres
import tinyres_kernels


def modules():
    """The names of all modules of both packages."""
    names = []
    for package in (tinyres, tinyres_kernels):
        names.append(package.__name__)
        names.extend(module.name for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."))
    # Importing the first would run it; the others need torch.
    programs = ("__main__", "torch_twin", "torch_modules", "torch_steps")
    return [name for name in names if not name.endswith(programs)]


def examples(name):
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [test for test in finder.find(importlib.import_module(name)) if test.examples]


@pytest.mark.parametrize("name", modules())
def test_examples(name):
    for test in examples(name):
        output = []
        result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=output.append)
        assert result.failed == 0, "".join(output)


def test_there_are_examples():
    assert examples("tinyres") and examples("tinyres.check.gradcheck") and examples("tinyres_kernels.windows")
