"""A trial: a fresh process imports one module with a bug in it, and runs our tests."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from mutants.mutant import Compiled, Mutant, Mutation, rung_of
from mutants.verdict import Outcome, Verdict

TESTS = Path(__file__).parent.parent
EVERYTHING = (
    "ops",
    "test_autograd.py",
    "test_memory.py",
    "check",
    "conformance",
    "optim",
    "nn",
    *(f"data/test_{name}.py" for name in ("augment", "dataset", "loader", "shapes")),  # others start processes
    "test_train.py",
    "test_training_parity.py",
    "kernels",
    "properties",
)
PATIENCE = 1200  # seconds for a whole trial
OPTIONS = (  # instead of those in pyproject.toml: a trial has no workers of its own
    *("-o", "addopts=--import-mode=importlib", "-m", "not slow"),
    *("-q", "--tb=no", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
)

# A server with the libraries imported and nothing of ours. It forks a process for each trial.
CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()
if CAN_FORK:
    FORK = multiprocessing.get_context("forkserver")
    FORK.set_forkserver_preload(["numpy", "pytest", "hypothesis.strategies", "numba", "torch"])  # those that are there


def trial(mutant: Mutant, paths: Iterable[str] = EVERYTHING, **settings: object) -> Outcome:
    """Run the tests in `paths`, below tests/, on that mutant; for the settings see Verdict."""
    chosen = [str(TESTS / path) for path in paths]
    if not chosen:  # pytest would take all there are
        return Outcome()
    receive, send = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_run, args=(send, mutant.module, mutant.source(), chosen, settings), daemon=True)
    process.start()
    send.close()
    try:
        receive.recv()
    except EOFError:
        raise RuntimeError(f"the trial of {mutant.name!r} could not begin") from None
    try:
        answer = receive.recv() if receive.poll(PATIENCE) else Outcome(kills={"time limit": f"{PATIENCE} s"})
    except EOFError:  # the process is gone
        answer = Outcome(kills={"crash": "the interpreter died"})
    finally:
        process.join(5)  # it has a folder to remove
        process.kill()
        process.join()
        receive.close()
    if not isinstance(answer, Outcome):
        raise RuntimeError(f"the trial of {mutant.name!r} itself went wrong:\n{answer}")
    return answer


def first_kill(mutant: Mutant) -> Outcome:
    """Try the tests that are most likely to find it; if all of them pass, try others."""
    if isinstance(mutant, Compiled):
        return trial(mutant, ["kernels"], word=mutant.seen_by)
    for paths in named_after(mutant.module), of_its_package(mutant.module), EVERYTHING:
        outcome = trial(mutant, paths)
        if outcome.killed or not outcome.imports:
            break
    return outcome


def mirrored(module: str) -> list[str]:
    return list(dict.fromkeys(named_after(module) + of_its_package(module)))


def named_after(module: str) -> list[str]:
    """The test files of the module's name."""
    return [str(file.relative_to(TESTS)) for file in TESTS.rglob(f"test_{module.rpartition('.')[2]}.py")]


def of_its_package(module: str) -> list[str]:
    """Tests that look at all modules of a package: some files, or its whole folder."""
    if module.startswith("tinyres_kernels."):
        return ["kernels/test_reference.py", "kernels/test_rungs.py"]
    package = module.rpartition(".")[0]
    some = {"tinyres": ["test_autograd.py", "test_memory.py"], "tinyres.ops": ["ops/test_needs.py"]}
    return some.get(package) or [package.removeprefix("tinyres.").replace(".", "/")]


# ---- inside the new process ------------------------------------------------------------------------------------------


def _run(send: Connection, module: str, source: str, paths: list[str], settings: dict[str, object]) -> None:
    send.send("it begins")  # a process that dies before this kills no mutant
    try:
        send.send(_outcome(module, source, paths, settings))
    except BaseException:  # whatever it is, it is no fault of the mutant's
        send.send(traceback.format_exc())


def _outcome(module: str, source: str, paths: list[str], settings: dict[str, object]) -> Outcome:
    _be_silent()
    _shrink_nothing()
    os.environ.pop("PYTEST_XDIST_WORKER", None)  # whoever asks for the trial may be a worker; the trial itself is none
    # numba makes a semaphore where processes are forked, and a trial that is killed would leave it behind.
    multiprocessing.set_start_method("spawn", force=True)
    threadpool_limits(1)  # for matrix products: trials run side by side
    rung = os.environ["TINYRES_KERNELS"] = rung_of(module)
    sys.meta_path.insert(0, Mutation(module, source))
    verdict = Verdict(rung, **settings)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder  # or kernels compiled from the unmutated sources would serve
        try:
            __import__(module)
        except Exception:
            return Outcome(imports=False)
        code = pytest.main([*OPTIONS, *paths], plugins=[verdict])
    if code in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
        raise RuntimeError(f"pytest ended with {code!r}")
    return verdict.outcome


def _be_silent() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)


def _shrink_nothing() -> None:
    """A failing example is enough; nobody will read the smallest."""
    from hypothesis import Phase, settings

    settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None)
    settings.load_profile("mutants")
