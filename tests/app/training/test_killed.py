"""kill -9 at any moment and at every system call: a run that was killed and resumed ends with the same bits."""

import os
import random
import signal
import tempfile
import time
from pathlib import Path

import pytest
from doomed import CAN_FORK, begin, end
from runs import outcome

from tinyres.app.training import RunError, RunFolder
from tinyres.app.training.lock import LOCK, locked

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="processes are forked from a server, which is not for this system")
KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def place():
    """A folder in memory, if there is one: fsync is slow on a disk, and a kill does not empty its cache anyway."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def whole(place):
    """An undisturbed run: its outcome, the names of its system calls, and its time in seconds."""
    folder = place / "whole"
    folder.mkdir()
    assert end(begin(folder / "run", count=str(folder / "calls"))) == 0
    began = time.monotonic()
    assert end(begin(folder / "timed")) == 0
    return outcome(RunFolder(folder / "run")), (folder / "calls").read_text().split(), time.monotonic() - began


def go_on_to_the_end(folder, expected):
    assert end(begin(folder)) == 0
    assert outcome(RunFolder(folder)) == expected
    left = sorted(path.name for path in folder.iterdir() if path.suffix == ".tmp")
    assert left == []


def kill_at_calls(numbers, whole, place, fault, half=False):
    expected, _, _ = whole
    for number in numbers:
        folder = place / f"at-{number}-{half}-{len(numbers)}"
        with fault():
            assert end(begin(folder, die_at=number, half=half)) == KILLED
            go_on_to_the_end(folder, expected)


def kill_at_moments(count, whole, place, fault):
    """Kill at `count` random moments. A run that has already ended does not count."""
    expected, _, seconds = whole
    draws = random.Random(0)
    for _ in range(10 * count):
        process = begin(folder := Path(tempfile.mkdtemp(dir=place)))
        time.sleep(draws.uniform(0, seconds))
        process.kill()
        if end(process) == KILLED:
            with fault():
                go_on_to_the_end(folder, expected)
            count -= 1
        if count == 0:
            return
    pytest.fail("nearly every process was done before it was killed")


@pytest.mark.faults("kill -9 at a random moment")
def test_at_random_moments(whole, place, fault):
    kill_at_moments(5, whole, place, fault)


@pytest.mark.faults("kill -9 at a system call")
def test_inside_the_writing_of_a_checkpoint(whole, place, fault):
    """Five system calls of one save in the middle of the run, from the first writes to the fsync of the folder."""
    calls = whole[1]
    renames = [number for number in range(1, len(calls)) if calls[number - 1 : number + 1] == ["replace", "replace"]]
    first = renames[len(renames) // 2]  # the old checkpoint is renamed, the new one not yet
    kill_at_calls([first - 3, first - 1, first, first + 1, first + 3], whole, place, fault)


@pytest.mark.slow
@pytest.mark.faults("kill -9 at a random moment")
def test_at_many_random_moments(whole, place, fault):
    kill_at_moments(100, whole, place, fault)


@pytest.mark.slow
@pytest.mark.faults("kill -9 at a system call")
def test_at_every_system_call(whole, place, fault):
    calls = whole[1]
    kill_at_calls(range(1, len(calls) + 1), whole, place, fault)
    writes = [number for number, name in enumerate(calls, 1) if name == "write"]
    kill_at_calls(writes, whole, place, fault, half=True)


@pytest.mark.faults("a second process on one run")
def test_the_second_process_is_refused(whole, place):
    process = begin(place / "run", slowly=0.5)
    while not (place / "run" / "config.json").exists():
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with (
            pytest.raises(RunError, match=rf"run: another process is at work on this run \(pid {process.pid}\)"),
            locked(place / "run"),
        ):
            pass
    finally:
        os.kill(process.pid, signal.SIGKILL)
    assert end(process) == KILLED
    assert (place / "run" / LOCK).exists()
    go_on_to_the_end(place / "run", whole[0])  # the lock of a dead process is released
