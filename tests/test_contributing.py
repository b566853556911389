"""CONTRIBUTING.md: its worked example is followed, in a copy of the sources, and a mistake in it is noticed."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import tinyres
import tinyres_kernels

LACKING = "nbformat", "nbclient", "jupytext", "onnx", "onnxruntime", "tensorboardX", "torch", "mpi4py", "playwright"
TESTS = Path(__file__).parent
PAGE = TESTS.parent / "CONTRIBUTING.md"
STEP = r"`([\w/]+\.py)`[^`]*(?:`__all__`[^`]*)?:\n\n```python\n(.*?)```"
STEPS = re.findall(STEP, PAGE.read_text("utf-8"), re.DOTALL)
OP, FUNCTIONAL, TEST = "tinyres/ops/softsign.py", "tinyres/nn/functional.py", "tests/ops/test_softsign.py"


@pytest.fixture
def copy(tmp_path):
    """The sources and the tests of ops, with the example's steps done."""
    leave_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(tinyres.__file__).parent, tmp_path / "tinyres", ignore=leave_out)
    shutil.copytree(Path(tinyres_kernels.__file__).parent, tmp_path / "kernels" / "tinyres_kernels", ignore=leave_out)
    shutil.copytree(TESTS / "ops", tmp_path / "tests" / "ops", ignore=leave_out)
    for file in [*TESTS.glob("*.py"), TESTS.parent / "pyproject.toml"]:
        shutil.copy(file, tmp_path / file.relative_to(TESTS.parent))
    for name, text in STEPS:
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(text)
    return tmp_path


def run(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "kernels")])}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def outcome_of_its_tests(folder):
    chosen = ["-k", "not stored_values"]  # which only torch can write
    if find_spec("torch") is not None:
        written = run(folder, "tests/make_expected.py")
        assert written.returncode == 0, written.stderr
        chosen = []
    return run(folder, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", TEST, *chosen)


def test_each_step_is_found():
    assert [name for name, _ in STEPS] == [OP, FUNCTIONAL, TEST]


def test_the_example_passes(copy):
    done = outcome_of_its_tests(copy)
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 50


def test_a_wrong_backward_is_noticed(copy):
    page = copy / OP
    right = page.read_text("utf-8")
    page.write_text(right.replace("gy / (1 + abs(x)) ** 2", "gy / (1 + abs(x))"), "utf-8")
    assert page.read_text("utf-8") != right
    done = outcome_of_its_tests(copy)
    failed = set(re.findall(r"FAILED \S+::(test_\w+)", done.stdout))
    assert done.returncode == 1 and {"test_by_hand", "test_gradcheck"} <= failed, done.stdout


@pytest.mark.slow
def test_gpu_tests_need_few_packages():
    """`pytest -m gpu` imports every test file, also where what other tests need is not installed."""
    program = f"import sys, pytest; sys.modules.update(dict.fromkeys({LACKING})); sys.exit(pytest.main(sys.argv[1:]))"
    result = run(TESTS.parent, "-c", program, "-m", "gpu", "-n", "0", "--collect-only", "-q")
    assert result.returncode == 0, result.stdout
    assert "tests/kernels/test_on_a_gpu.py" in result.stdout
