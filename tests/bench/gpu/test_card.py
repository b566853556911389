"""card.sh, with programs in place of Python, ncu and compute-sanitizer that note how they are called."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import parser
from tinyres.app import cli

SCRIPT = Path(__file__).parents[3] / "bench" / "gpu" / "card.sh"
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
echo "said by $3"
case "$*" in *"$BREAKS"*) exit 3 ;; esac
"""
SEVERAL = ["correct", "race", "memory", "epochs", "launches", "torch", "kernels"]
TESTS = [f"correct-{k}" for k in range(6)]


@pytest.fixture
def card(tmp_path):
    """card(step…) -> its process, the calls that it made, and the folder with what they said"""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("python3", "ncu", "compute-sanitizer", "nvidia-smi", "nvcc"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(0o755)

    def run(*steps, breaks="nothing", **environment):
        calls, out = tmp_path / "calls", tmp_path / "out"
        calls.write_text("")
        path = f"{programs}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "CALLS": str(calls), "BREAKS": breaks, **environment}
        done = subprocess.run(["bash", SCRIPT, out, *steps], env=environment, capture_output=True, text=True)
        return done, calls.read_text().splitlines(), out

    return run


def test_all_steps(card):
    done, calls, out = card()
    assert done.returncode == 0, done.stderr
    assert {file.stem for file in out.iterdir()} == {*TESTS, *SEVERAL[1:], "ncu", "machine"}
    assert (out / "race.txt").read_text() == "said by --tool\n"
    assert "=== kernels: exit code 0" in done.stdout and "said by gpu" in done.stdout
    tests = [call for call in calls if "test_on_a_gpu.py" in call]
    assert len(tests) == len(TESTS) + 2 and calls.index(tests[-1]) < min(
        k for k, call in enumerate(calls) if "-m bench" in call
    )


def test_what_it_calls_takes_these_arguments(card, tmp_path):
    _, calls, _ = card(*SEVERAL, "paper", CIFAR10="here")
    benches = [call.split()[3:] for call in calls if call.startswith("python3 -m bench ")]
    asked = [parser().parse_args(arguments) for arguments in benches]
    assert [arguments.sections[0] for arguments in asked] == ["epochs", "training", "correctness"]
    (train,) = [call.split()[3:] for call in calls if call.startswith("python3 -m tinyres ")]
    assert cli.parser().parse_args(train).data_dir == "here"


def test_every_test_is_in_one_group(card):
    _, calls, _ = card("correct")
    groups = [call.partition(" -k ")[2] for call in calls if " -k " in call]
    assert len(groups) == len(TESTS)
    command = [sys.executable, "-m", "pytest", "tests/kernels/test_on_a_gpu.py", "-m", "gpu", "-q", "--collect-only"]
    collected = subprocess.run(command, cwd=SCRIPT.parents[2], capture_output=True, text=True, check=True)
    names = [line for line in collected.stdout.splitlines() if "::" in line]
    assert len(names) > 50
    assert [name for name in names if sum(holds(group, name) for group in groups) != 1] == []


def holds(expression, name):
    """As pytest's -k: a word of the expression is true if the test's name has it."""
    return eval(re.sub(r"\b(?!and\b|or\b|not\b)\w+", lambda word: str(word[0] in name), expression))


def test_a_step_that_fails_leaves_the_others(card):
    done, _, _ = card("launches", "kernels", breaks="--csv")
    assert done.returncode == 1
    assert "=== ncu: exit code 3" in done.stdout and "=== kernels: exit code 0" in done.stdout
    assert "=== launches" not in done.stdout
    assert card("kernels")[0].returncode == 0  # that failure is over


def test_nothing_begins_if_the_steps_cannot_all(card):
    for steps, said in ((("kernels", "kernel"), "there is no step kernel"), (("kernels", "paper"), "needs the folder")):
        done, calls, _ = card(*steps)
        assert done.returncode != 0 and said in done.stderr and calls == []
