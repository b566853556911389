"""kernels/tinyres_kernels/cpu/cache.py: nothing is compiled twice, and nothing stale is served."""

import os
import subprocess
import sys

import numba

from tinyres_kernels.cpu import cache

# Prints how many kernels had to be compiled for a convolution and its two gradients.
COUNT_MISSES = """
import importlib
import numpy as np
import tinyres_kernels.cpu as cpu
x, w = np.ones((2, 4, 8, 8), np.float32), np.ones((4, 4, 3, 3), np.float32)
y = cpu.conv2d(x, w, (1, 1), (1, 1))
cpu.conv2d_grad_x(y, w, x.shape, (1, 1), (1, 1))
cpu.conv2d_grad_w(y, x, w.shape, (1, 1), (1, 1))
conv2d = importlib.import_module("tinyres_kernels.cpu.conv2d")
size = np.dtype(np.float32)
kernels = [
    conv2d.pack,
    conv2d.collect,
    conv2d.fill_outputs(*conv2d.best_tile(8, 4, size)),
    conv2d.add_weights(*conv2d.best_tile(4, 4, size)),
]
assert all(sum(kernel.stats.cache_hits.values()) + sum(kernel.stats.cache_misses.values()) for kernel in kernels)
print(sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels))
"""


def misses(folder):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", COUNT_MISSES]
    return int(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def test_a_second_process_compiles_nothing(tmp_path):
    assert misses(tmp_path) >= 4
    assert misses(tmp_path) == 0


def test_an_edit_in_any_file_leads_to_another_folder(tmp_path):
    (tmp_path / "kernel.py").write_text("a = 1")
    (tmp_path / "tile.py").write_text("b = 1")
    before = cache.fingerprint(tmp_path)
    assert cache.fingerprint(tmp_path) == before
    (tmp_path / "tile.py").write_text("b = 2")
    assert cache.fingerprint(tmp_path) != before


def test_where_nothing_can_be_written_a_temporary_folder_serves(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(cache.tempfile, "mkdtemp", lambda prefix: str(tmp_path / prefix))
    assert cache.folder() == str(tmp_path / "tinyres-")


def test_others_who_use_numba_keep_their_own_folder():
    before = numba.config.CACHE_DIR
    cache.compiled(misses)
    assert before == numba.config.CACHE_DIR != cache.FOLDER
