"""tinyres/scale/parallel/launch.py: how many processes were started, and errors when they cannot connect."""

import os
import subprocess
import sys

import pytest
from ranks import needs_mpi
from runs import tiny_world  # noqa: F401

from tinyres.app.cli import main
from tinyres.scale.parallel import ALONE, ParallelError, connected, rank_started, ranks_started

LAUNCHERS = {
    "nobody": ({}, 1, 0),
    "mpiexec -n 1": ({"PMI_SIZE": "1", "PMI_RANK": "0"}, 1, 0),
    "MPICH": ({"PMI_SIZE": "4", "PMI_RANK": "3"}, 4, 3),
    "Open MPI": ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1", "PMIX_RANK": "1"}, 2, 1),
    "srun --mpi=pmix": ({"PMIX_RANK": "5", "SLURM_STEP_NUM_TASKS": "8"}, 8, 5),
    "a Slurm script, without srun": ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, 1, 0),
}


@pytest.fixture
def started(monkeypatch):
    """A function that sets the environment as this launcher does."""

    def by(launcher):
        for name in list(os.environ):
            if name.startswith(("PMI", "OMPI_", "SLURM_")):
                monkeypatch.delenv(name)
        for name, value in LAUNCHERS[launcher][0].items():
            monkeypatch.setenv(name, value)

    return by


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_what_launchers_say(launcher, started):
    started(launcher)
    assert (ranks_started(), rank_started()) == LAUNCHERS[launcher][1:]


def test_one_process_needs_no_mpi(started, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)  # as if it were not installed
    started("nobody")
    with connected() as ranks:
        assert ranks is ALONE
    with pytest.raises(RuntimeError, match="planted"), connected():
        raise RuntimeError("planted")


def test_without_mpi4py_it_is_said_what_to_install(started, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    started("MPICH")
    with pytest.raises(ParallelError, match=r'4 processes .* needs mpi4py .*pip install "tinyres\[mpi\]"'), connected():
        pass


@pytest.mark.usefixtures("tiny_world")
def test_the_command_line_says_it_too(started, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    started("MPICH")
    monkeypatch.setenv("PMI_RANK", "0")
    assert main(["train", "--model", "tiny"]) == 1
    assert 'pip install "tinyres[mpi]"' in capsys.readouterr().err
    monkeypatch.setenv("PMI_RANK", "2")
    assert main(["train", "--model", "tiny"]) == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("tiny_world")
def test_other_commands_are_for_one_process(started, monkeypatch, capsys):
    started("MPICH")
    monkeypatch.setenv("PMI_RANK", "0")
    assert main(["summary", "resnet20"]) == 1
    assert "only `tinyres train` runs on several processes" in capsys.readouterr().err


@needs_mpi
def test_the_mpi_of_another_launcher():
    """Each process would take itself for the only one, and all would write into the same folder."""
    code = "from tinyres.scale.parallel import connected\nwith connected(): pass"
    environment = {**os.environ, "OMPI_COMM_WORLD_SIZE": "4", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert "4 processes were started, but mpi4py sees 1: its MPI is not that of the launcher" in done.stderr
    assert done.returncode == 1
