"""tinyres_kernels/contract.py: every rung has its functions, with its signatures, in the files that it names."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

from tinyres_kernels.contract import Kernels

RUNGS = "reference", "array", "cpu", "numba_cuda", "gpu"
FUNCTIONS = [name for name in vars(Kernels) if not name.startswith("_")]


def rung_function(rung, name):
    return getattr(importlib.import_module(f"tinyres_kernels.{rung}"), name)


def signature(function):
    """Names, defaults and annotations of the parameters, and what comes back."""
    found = inspect.signature(function, eval_str=True)
    return found.replace(parameters=[one for name, one in found.parameters.items() if name != "self"])


@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_keeps_the_contract(rung):
    assert {"conv2d", "max_pool2d_grad_x", "batch_norm_statistics", "add", "relu"} <= set(FUNCTIONS)
    for name in FUNCTIONS:
        assert signature(rung_function(rung, name)) == signature(getattr(Kernels, name)), name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_docstring_names_the_files(name):
    """Where each rung's function is written, rungs that take array's left out."""
    written = [(rung, Path(inspect.getsourcefile(rung_function(rung, name)))) for rung in RUNGS]
    own = [(rung, file.name) for rung, file in written if file.parent.name == rung]
    file, folders = re.search(r"In (\w+\.py) of ((?:\w+/(?:, )?)+)", getattr(Kernels, name).__doc__).groups()
    assert [(folder.strip("/"), file) for folder in folders.split(", ")] == own
