"""tinyres/scale/gpus.py"""

import sys
from types import SimpleNamespace

from tinyres.scale.gpus import use_gpu


def test_the_gpu_of_a_rank(monkeypatch):
    """Three ranks on a machine with two GPUs: the third shares."""
    used = []
    device = SimpleNamespace(
        Device=lambda number: SimpleNamespace(use=lambda: used.append(number)),
        runtime=SimpleNamespace(getDeviceCount=lambda: 2),
    )
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=device))
    for rank in range(3):
        use_gpu(rank)
    assert used == [0, 1, 0]
