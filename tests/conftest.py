"""For all tests: each starts from seed 0, and there is a process for every core to run them (pytest-xdist).

With `-n 0` they run in this process, which a debugger needs. The tests of a single file do so too: the first result of
`pytest tests/ops/test_conv2d.py` is there sooner than other processes could start.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

import tinyres
from tinyres.look.undrawn import undrawn as no_drawing

pytest.register_assert_rewrite("networks", "support")
pytest_plugins = ["fault_table", "random_cases", "skipped"]


@pytest.fixture(autouse=True)
def seed():
    tinyres.manual_seed(0)


@pytest.fixture
def no_gc():
    """Only reference counting frees memory here: a reference cycle would live on."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def undrawn():
    """Initial weights are zeros: for large networks of which only the shapes matter."""
    with no_drawing():
        yield


@pytest.fixture(scope="module")
def cuda_runs_here() -> Iterator[None]:
    """Launches of CUDA kernels run on the processor, in the emulator of tests/cuda_on_cpu."""
    from cuda_on_cpu import emulator

    from tinyres_kernels.gpu import launch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "load", emulator.load)
        yield


@pytest.fixture(scope="module")
def compiled_kernels_take_small_arrays() -> Iterator[None]:
    """The cpu rung leaves small arrays to the array rung, and most arrays of the tests are small."""
    from tinyres_kernels.cpu import elements

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elements, "LEAST_BYTES", 1)
        yield


# ---- one process for every core --------------------------------------------------------------------------------------


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """What `-n auto` means: a process for every core, but for the tests of a single file none besides this one."""
    files = {Path(config.invocation_params.dir, argument.split("::")[0]) for argument in config.args}
    one_file = len(files) == 1 and files.pop().is_file()
    return 0 if one_file else tinyres.get_num_threads()


@pytest.hookimpl(tryfirst=True)  # before xdist starts its processes
def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.getoption("numprocesses") and not session.config.getoption("collectonly"):
        os.environ.setdefault("TINYRES_NUM_THREADS", "1")  # the processes fill the cores
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        compile_kernels(session.config.pluginmanager.get_plugin("terminalreporter"))


def compile_kernels(terminal: pytest.TerminalReporter) -> None:
    """Compile once, side by side, what else each of the processes would compile for itself."""
    from tinyres_kernels.cpu import cache

    # numba keeps the kernels of each checkout apart, even if their sources are the same.
    done = Path(cache.FOLDER, f"compiled-for-tests-{crc32(cache.__file__.encode()):08x}")
    if done.exists():
        return
    terminal.write_line("compiling the kernels, once; this takes about a minute", flush=True)
    program = Path(__file__).with_name("compile_kernels.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    jobs = [subprocess.Popen([sys.executable, program, part], env=environment) for part in ("winograd", "others")]
    if any([job.wait() for job in jobs]):
        pytest.exit("the kernels do not compile: see above", returncode=pytest.ExitCode.INTERNAL_ERROR)
    done.touch()
