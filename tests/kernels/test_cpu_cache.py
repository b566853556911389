"""kernels/tinyres_kernels/cpu/cache.py: nothing is compiled twice, nothing stale is served, nothing old stays."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numba
import pytest

from tinyres_kernels.cpu import cache

# Prints how many kernels had to be compiled for a convolution and its two gradients.
COUNT_MISSES = """
import numpy as np
import tinyres_kernels.cpu as cpu
from tinyres_kernels.cpu import conv2d_direct as direct
x, w = np.ones((2, 4, 8, 8), np.float32), np.ones((4, 4, 1, 1), np.float32)
y = cpu.conv2d(x, w, (1, 1), (0, 0))
cpu.conv2d_grad_x(y, w, x.shape, (1, 1), (0, 0))
cpu.conv2d_grad_w(y, x, w.shape, (1, 1), (0, 0))
size = np.dtype(np.float32)
kernels = [
    direct.pack_weights,
    direct.add_up_workers,
    direct.output_kernel(*direct.best_tile(8, 4, size)),
    direct.grad_w_kernel(*direct.best_tile(4, 4, size)),
]
assert all(sum(kernel.stats.cache_hits.values()) + sum(kernel.stats.cache_misses.values()) for kernel in kernels)
print(sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels))
"""


def misses(**environment):
    """How many kernels a fresh process had to compile."""
    environment = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", COUNT_MISSES]
    return int(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def test_a_second_process_compiles_nothing():
    """In this session's folder, where most kernels have been compiled already."""
    misses()
    assert misses() == 0


@pytest.mark.slow
def test_a_process_with_an_empty_folder_compiles_all(tmp_path):
    assert misses(NUMBA_CACHE_DIR=str(tmp_path)) >= 4
    assert misses(NUMBA_CACHE_DIR=str(tmp_path)) == 0


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


class TestOldFolders:
    @pytest.fixture
    def caches(self, tmp_path, monkeypatch):
        """Where the folders lie: two last used 31 days ago, one 29 days ago, and a data set of long ago."""
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
        days = {"0123456789abcdef": 31, "00000000000000ff": 31, "fedcba9876543210": 29, "cifar-10-batches-bin": 300}
        for name, unused in days.items():
            folder = tmp_path / "tinyres" / name
            (folder / "cpu").mkdir(parents=True)
            (folder / "cpu" / "conv2d.nbi").touch()
            then = time.time() - unused * 24 * 60 * 60
            os.utime(folder, (then, then))
        return tmp_path / "tinyres"

    def test_what_nobody_used_for_a_month_is_removed(self, caches):
        current = Path(cache.folder()).name
        assert {folder.name for folder in caches.iterdir()} == {current, "fedcba9876543210", "cifar-10-batches-bin"}
        assert (caches / "fedcba9876543210" / "cpu" / "conv2d.nbi").exists()

    def test_using_a_folder_keeps_it(self, caches):
        current = Path(cache.folder())
        kernel = current / "conv2d.nbi"
        kernel.touch()
        os.utime(current, (0, 0))
        cache.folder()
        assert kernel.exists()
        assert time.time() - current.stat().st_mtime < 24 * 60 * 60

    def test_another_process_may_do_the_same_at_once(self, caches, monkeypatch):
        def both(folder, **options):
            for name in ("0123456789abcdef", "00000000000000ff"):
                shutil_rmtree(caches / name, ignore_errors=True)
            shutil_rmtree(folder, **options)

        shutil_rmtree = shutil.rmtree
        monkeypatch.setattr(cache.shutil, "rmtree", both)
        assert Path(cache.folder()).parent == caches
        assert not list(caches.glob("0*ff")) + list(caches.glob("0*ef"))

    def test_failing_is_no_harm(self, caches, monkeypatch):
        def refuse(folder):
            raise PermissionError

        monkeypatch.setattr(cache.Path, "iterdir", refuse)
        assert Path(cache.folder()).parent == caches

    def test_a_folder_removed_meanwhile_is_made_anew(self, tmp_path, monkeypatch):
        monkeypatch.setattr(cache, "FOLDER", str(tmp_path / "gone"))
        kernel = cache.compiled(doubled)
        shutil.rmtree(tmp_path / "gone")
        assert kernel(2.0) == 4.0
        assert list((tmp_path / "gone").rglob("*.nbc"))


def doubled(x):
    return 2 * x


def test_others_who_use_numba_keep_their_own_folder():
    before = numba.config.CACHE_DIR
    cache.compiled(misses)
    assert before == numba.config.CACHE_DIR != cache.FOLDER
