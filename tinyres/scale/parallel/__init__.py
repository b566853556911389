"""Training on several processes, the ranks, which share every batch: `mpiexec -n 4 tinyres train`.

    communicator.py     what the ranks do together: sum(array), broadcast(content); and ALONE, which is one process
    mpi.py, nccl.py     the same over MPI (mpi4py), and for arrays on GPUs over NCCL (CuPy)
    launch.py           how a process finds out that it is one of several, and how an error of one ends all
    rows.py             which rows of a batch belong to which rank; rank_loader.py prepares them
    sync_batch_norm.py  batch norm over the whole batch, of which each rank has some rows
    flat.py             all gradients in one buffer, summed by one message a step

Every rank builds the same network from the same seed, learns from its rows of the same batch, and updates the weights
with the sum of all gradients. So all ranks always have the same weights, and weights are sent only at the start.
"""

from tinyres.scale.parallel.communicator import ALONE, Communicator, from_first
from tinyres.scale.parallel.flat import FlatGradients
from tinyres.scale.parallel.launch import ParallelError, connected, on_device, rank_started, ranks_started
from tinyres.scale.parallel.rank_loader import RankLoader
from tinyres.scale.parallel.rows import Rows
from tinyres.scale.parallel.sync_batch_norm import synchronised

__all__ = [
    "ALONE",
    "Communicator",
    "FlatGradients",
    "ParallelError",
    "RankLoader",
    "Rows",
    "connected",
    "from_first",
    "on_device",
    "rank_started",
    "ranks_started",
    "synchronised",
]
