"""How a process finds out that it is one of several, and how an error of one ends all of them."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from tinyres.scale.gpus import use_gpu
from tinyres.scale.parallel.communicator import ALONE, Communicator
from tinyres.scale.parallel.mpi import MPI

INSTALL = 'pip install "tinyres[mpi]"'
Errors = tuple[type[BaseException], ...]


class ParallelError(Exception):
    """Several processes were started, but they cannot work together. The message says what to do."""


def ranks_started() -> int:
    """How many processes the launcher started, this one included; 1 without a launcher.

    It is read from the environment, so that one process needs no MPI. MPICH's mpiexec and srun with PMI set PMI_SIZE,
    Open MPI's mpiexec sets OMPI_COMM_WORLD_SIZE, and srun with PMIx sets PMIX_RANK and SLURM_STEP_NUM_TASKS.
    """
    names = ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE"] + (["SLURM_STEP_NUM_TASKS"] if "PMIX_RANK" in os.environ else [])
    said = [os.environ[name] for name in names if os.environ.get(name, "").isdigit()]
    return max(map(int, said), default=1)


def rank_started() -> int:
    """The number of this process among them, without starting MPI; 0 without a launcher."""
    said = [os.environ.get(name, "") for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")]
    return next((int(rank) for rank in said if rank.isdigit()), 0) if ranks_started() > 1 else 0


@contextmanager
def connected(agreed: Errors = (), explained: Errors = ()) -> Iterator[Communicator]:
    """Yields the ranks that the launcher started, or ALONE.

    agreed:    errors that all ranks raise at the same place if any does; they are passed on
    explained: errors whose message is enough, without a traceback

    After any other error the rank prints it with its number and ends all ranks with exit code 1, because the others
    would wait for its messages forever. ParallelError: mpi4py is missing, or it belongs to another MPI.
    """
    if ranks_started() == 1:
        yield ALONE
        return
    ranks = _begin()
    try:
        yield ranks
    except SystemExit as stop:  # a wrong command line, which the other ranks may still be reading
        if ranks.rank == 0:
            ranks.abort(stop.code if isinstance(stop.code, int) else 1)
        raise
    except agreed:
        raise
    except KeyboardInterrupt:
        ranks.abort(130)
    except BaseException as error:
        known = isinstance(error, (*explained, ParallelError))
        text = str(error) if known else "".join(traceback.format_exception(error))
        print(f"tinyres: rank {ranks.rank}: {text}", file=sys.__stderr__, flush=True)
        ranks.abort(1)


def on_device(ranks: Communicator, device: str) -> Communicator:
    """The same ranks for arrays on that device. With "cuda" each uses a GPU of its machine, and NCCL makes the sums.

    ParallelError: CuPy or its NCCL is missing, or there is no GPU.
    """
    if device != "cuda" or ranks.size == 1:
        return ranks
    from tinyres.scale.parallel.nccl import NCCL

    try:
        use_gpu(ranks.local_rank)
        return NCCL(ranks)
    except RuntimeError as error:
        raise ParallelError(str(error)) from error


def _begin() -> MPI:
    started = ranks_started()
    try:
        ranks = MPI()
    except (ImportError, RuntimeError) as error:  # mpi4py is missing, or finds no MPI
        raise ParallelError(
            f"{started} processes were started to train together. That needs mpi4py ({error}): {INSTALL}"
        ) from error
    if ranks.size != started:
        raise ParallelError(
            f"{started} processes were started, but mpi4py sees {ranks.size}: its MPI is not that of the launcher. "
            f"Use the mpiexec that {INSTALL} brings, or build mpi4py with the launcher's MPI (docs/cluster.md)"
        )
    return ranks
