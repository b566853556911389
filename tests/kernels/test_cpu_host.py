"""kernels/tinyres_kernels/cpu/host.py: what a processor offers, and kernels made for another one."""

import os
import subprocess
import sys

import llvmlite.binding
import numpy as np
import pytest

from tinyres_kernels.cpu import host


@pytest.mark.parametrize(
    ("features", "triple", "unit"),
    [
        ({"avx512f", "avx2"}, "x86_64-linux", (64, 32)),
        ({"avx2"}, "x86_64-linux", (32, 16)),
        (set(), "x86_64-linux", (16, 16)),
        (set(), "aarch64-linux", (16, 32)),
        (set(), "arm64-apple-darwin", (16, 32)),
    ],
)
def test_the_vectors_of_every_kind_of_processor(monkeypatch, features, triple, unit):
    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", lambda: dict.fromkeys(features, True))
    monkeypatch.setattr(llvmlite.binding, "get_process_triple", lambda: triple)
    assert host.vector_unit() == unit


def test_the_tile_that_does_the_least_in_vain(monkeypatch):
    monkeypatch.setattr(host, "VECTOR_BYTES", 64)
    monkeypatch.setattr(host, "TILES", ((8, 2), (16, 1), (4, 4)))
    float32, float64 = np.dtype(np.float32), np.dtype(np.float64)
    assert host.best_tile(256, 64, float32) == (8, 2)
    assert host.best_tile(256, 16, float32) == (16, 1)
    assert host.best_tile(256, 16, float64) == (8, 2)
    assert host.best_tile(4, 64, float32) == (4, 4)


# A processor with narrower vectors, as far as our kernels can tell; numba compiles for the one there is.
NARROWER = """
import sys
import llvmlite.binding

real = llvmlite.binding.get_host_cpu_features()

class Features(dict):
    def flatten(self):
        return real.flatten()

llvmlite.binding.get_host_cpu_features = lambda: Features.fromkeys(sys.argv[2:], True)
from tinyres_kernels.cpu import host

assert host.VECTOR_BYTES == int(sys.argv[1])
import pytest

raise SystemExit(pytest.main(["-q", "-n", "0", "-p", "no:cacheprovider", "tests/kernels/test_cpu_conv2d.py"]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("unit", [("16",), ("32", "avx2")], ids=["SSE", "AVX2"])
def test_convolution_with_narrower_vectors(tmp_path, unit):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", NARROWER, *unit]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
