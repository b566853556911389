"""What a step sends is what bench/cluster.py counts, and its formulas are the sums of their messages."""

import numpy as np
import pytest
from ranks import on_threads

from bench import allreduce
from bench.cluster import Fabric, halving_and_doubling, messages, recursive_doubling, ring
from tinyres import Tensor, models
from tinyres.scale.parallel.rows import Rows
from tinyres.scale.team import Team, backpropagate
from tinyres.train import Score

FABRIC = Fabric("some", alpha=3e-6, beta=2e9)


def test_a_step_sends_what_the_table_counts(monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")

    def step(ranks):
        model, rows = models.build("resnet8"), Rows.of(2, ranks.rank, 2)
        team = Team(ranks, model, "sync")
        with team.normalising(rows):
            backpropagate(model, Tensor(np.ones((1, 3, 8, 8), np.float32)), Tensor([0]), 0.0, rows.share)
        team.sum_step(Score(), rows.share, stops=False)
        return ranks.sent

    expected = messages("resnet8", 1.0)
    for sent in on_threads(2, step):
        *norms, gradient = sent
        assert gradient * 4 == expected.gradient
        assert sorted(8 * size for size in norms) == sorted(2 * expected.batch_norms)


def test_the_sizes_that_are_measured_are_those_of_the_networks():
    sizes = [size for size, _ in allreduce.SIZES.values()]
    nets = [messages(name, 1.0) for name in ("resnet20", "resnet50")]
    assert sizes == [max(nets[0].batch_norms), *(net.gradient for net in nets)]


def simulated(N, n, rounds):
    """Seconds for these rounds: in each, every rank sends one message of the given bytes, all at once."""
    return sum(FABRIC.alpha + size / FABRIC.beta for size in rounds)


@pytest.mark.parametrize("N", [2, 4, 8, 64])
@pytest.mark.parametrize("n", [8, 4096, 10**8])
def test_formulas(N, n):
    doublings = N.bit_length() - 1
    halves = [n / 2**k for k in range(1, doublings + 1)]  # the messages shrink, and then grow again
    assert ring(N, n, FABRIC) == pytest.approx(simulated(N, n, 2 * (N - 1) * [n / N]))
    assert halving_and_doubling(N, n, FABRIC) == pytest.approx(simulated(N, n, halves + halves[::-1]))
    assert recursive_doubling(N, n, FABRIC) == pytest.approx(simulated(N, n, doublings * [n]))


def test_one_rank_sends_nothing():
    assert ring(1, 100, FABRIC) == halving_and_doubling(1, 100, FABRIC) == recursive_doubling(1, 100, FABRIC) == 0
