"""Helpers for the tests of the commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinyres
from tinyres.app.cli import main

TRAIN = ("train", "--model", "tiny", "--batch-size", "24", "--epochs", "2")


def refused(capsys, *arguments):
    """The last line of the error message for a wrong command line."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()[-1]


def failed(capsys, *arguments):
    """The error message of a command that fails."""
    assert main([str(argument) for argument in arguments]) == 1
    return capsys.readouterr().err


def python(*arguments, **options):
    """A tinyres process of this source tree, on one thread."""
    root = Path(tinyres.__file__).parents[1]
    path = os.pathsep.join([str(root), str(root / "kernels")])
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tinyres", *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
