"""Training in a separate process, which a test can kill at any moment, or which kills itself at a chosen system call.

The process is forked from a server that has imported everything. That takes a tenth of a second instead of two.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any

import pytest
import runs

from tinyres import data
from tinyres import train as learning
from tinyres.app.training import Interrupted, RunFolder, resume, train, trainer
from tinyres.data.download import Archive, fetch

CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()
if CAN_FORK:
    FORK = multiprocessing.get_context("forkserver")
    FORK.set_forkserver_preload(["doomed"])

STOPPED = 130  # the exit code of a process that was asked to stop and has saved everything
CALLS = ("open", "write", "fsync", "replace", "close", "mkdir", "unlink")  # the system calls of files.py and lock.py


def begin(folder: Path, **how: Any) -> multiprocessing.Process:
    """Start a run in that folder, or go on with the one that is there. For `how` see `_train`."""
    return _started(_train, folder, **how)


def begin_download(archive: Archive, folder: Path) -> multiprocessing.Process:
    """Download the archive from a server on this machine."""
    return _started(_download, archive, folder)


def _started(target: Callable[..., None], *arguments: Any, **settings: Any) -> multiprocessing.Process:
    with pytest.MonkeyPatch.context() as patch:  # the fork server must find this module
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        ensure_running()
    process = FORK.Process(target=target, args=arguments, kwargs=settings)
    process.start()
    return process


def end(process: multiprocessing.Process) -> int:
    """Wait for the process. Returns its exit code, negative for a signal."""
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


def _train(
    folder: Path, *, die_at: int = 0, half: bool = False, count: str = "", slowly: float = 0.0, save_every: float = 0.0
) -> None:
    """die_at: the number of the system call to die at, from 1 on    half: do half of a write before
    count: a file for the names of the calls                      slowly: seconds to wait before every batch
    save_every: seconds; 0 saves after every batch, so that a kill in the middle of an epoch matters too
    """
    os.environ["TINYRES_KERNELS"] = "array"  # nothing to compile
    with pytest.MonkeyPatch.context() as patch:
        runs.add_model(patch, "tiny", runs.tiny)
        patch.setattr(data, "shapes", runs.few_shapes)
        patch.setattr(trainer, "draw_curves", lambda *arguments: None)
        patch.setattr(trainer, "SAVE_EVERY", save_every)
        if slowly:
            patch.setattr(learning, "train_step", _slow(learning.train_step, slowly))
        if die_at or count:
            _count_calls(patch, die_at, half, made := [])
        go = resume if RunFolder(folder).config.exists() else train
        try:
            go(runs.settings(threads=1), RunFolder(folder), runs.quiet())
        except Interrupted:
            raise SystemExit(STOPPED) from None
    if count:
        Path(count).write_text("\n".join(made))


def _download(archive: Archive, folder: Path) -> None:
    os.environ["no_proxy"] = "127.0.0.1"
    fetch(archive, folder, quiet=True)


def _slow(step: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    def slow_step(*arguments: Any) -> Any:
        time.sleep(seconds)
        return step(*arguments)

    return slow_step


def _count_calls(patch: pytest.MonkeyPatch, die_at: int, half: bool, made: list[str]) -> None:
    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*arguments: Any, **settings: Any) -> Any:
            made.append(name)
            if len(made) == die_at:
                if half and name == "write":
                    call(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **settings)

        return instead

    for name in CALLS:
        patch.setattr(os, name, counted(name, getattr(os, name)))
