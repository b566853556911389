"""The roofs: the loop does its multiply-adds, and the figures follow from the times."""

import numpy as np
import pytest

from tinyres.app.bench import machine
from tinyres_kernels.cpu.peak import FLOP_PER_ROUND, SUMS, multiply_adds


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_the_loop_does_the_multiply_adds(rounds):
    """SUMS registers start with 0, 1, 2, …; each round halves them and adds a half."""
    sums = np.arange(SUMS, dtype=float)
    for _ in range(rounds):
        sums = sums * 0.5 + 0.5
    totals = np.zeros(2, np.float32)
    multiply_adds(rounds, totals)
    np.testing.assert_allclose(totals, sums.sum(), rtol=1e-6)


def test_roofs_follow_from_the_best_time(monkeypatch):
    monkeypatch.setattr(machine, "seconds", lambda call, repeats: [0.5, 0.25, 1.0])
    assert machine.peak(threads=2, rounds=1000) == pytest.approx(2 * 1000 * FLOP_PER_ROUND / 0.25 / 1e9)
    assert machine.sgemm(size=10) == pytest.approx(2 * 10**3 / 0.25 / 1e9)
    assert machine.copy_bandwidth(threads=1, size=4000) == pytest.approx(2 * 4000 / 0.25 / 1e9)


def test_what_is_told_of_the_machine(monkeypatch):
    for name, size in {"ROUNDS": 10, "MATRIX": 8, "COPIED": 4096}.items():
        monkeypatch.setattr(machine, name, size)
    told = machine.machine(threads=1)
    assert (told["threads"], told["vector_bits"] % 128) == (1, 0)
    assert told["cores"] >= 1
    assert told["cpu"]
    assert told["versions"].keys() == {"python", "tinyres", "numpy", "numba"}
    assert min(told["peak_gflops"], told["sgemm_gflops"], told["copy_gb_per_s"]) > 0
