"""tinyres/scale/team.py: one step of several ranks, against the same step by hand."""

import numpy as np
import pytest
from ranks import on_threads

from tinyres import Tensor, manual_seed, nn
from tinyres.scale.parallel import ALONE, ParallelError
from tinyres.scale.parallel.rows import Rows
from tinyres.scale.team import Team, any_rank, backpropagate, evaluate_together, expect_equal, expect_equal_weights
from tinyres.train import Score, evaluate

SHARES = (Rows(0, 2, 5), Rows(2, 5, 5))


@pytest.fixture(autouse=True)
def kernels_for_threads(monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")


def network():
    manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 4)).double()


def batch():
    draws = np.random.default_rng(1)
    return draws.standard_normal((5, 2, 4, 4)), draws.integers(0, 4, 5)


def step(model, rows, share):
    """Backpropagate these rows; returns their mean loss."""
    x, y = batch()
    return backpropagate(model, Tensor(x[rows.slice]), Tensor(y[rows.slice]), 0.0, share)[0]


def test_local_batch_norm_by_hand():
    """Two networks that know nothing of each other, and their weighted average."""
    nets = [network() for _ in SHARES]
    models = [network() for _ in SHARES]

    def work(ranks):
        rows, model = SHARES[ranks.rank], models[ranks.rank]
        team = Team(ranks, model, "local")
        with team.normalising(rows):
            loss = step(model, rows, rows.share)
        assert ranks.sent == []
        score = team.sum_step(Score(loss * 3, ranks.rank, 3), rows.share, stops=ranks.rank == 1)
        assert team.stopping and (score.correct, score.images) == (1, 6)
        return [p.grad.copy() for p in model.parameters()] + [b.data for b in model.buffers()], score.loss_sum

    losses = [step(net, rows, 1.0) for net, rows in zip(nets, SHARES, strict=True)]
    for arrays, loss_sum in on_threads(2, work):
        assert loss_sum == pytest.approx(3 * sum(losses))
        grads = zip(*([p.grad for p in net.parameters()] for net in nets), strict=True)
        wanted = [0.4 * a + 0.6 * b for a, b in grads]
        for first, second in zip(*(net.buffers() for net in nets), strict=True):
            floating = first.dtype.kind == "f"  # the count of batches is the same everywhere
            wanted.append(0.4 * first.data + 0.6 * second.data if floating else first.data)
        for found, want in zip(arrays, wanted, strict=True):
            np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-14)


def test_alone_nothing_is_summed():
    dataset = [batch()]
    assert evaluate_together(network(), dataset, ALONE) == evaluate(network(), dataset)
    assert any_rank(ALONE, True) and not any_rank(ALONE, False)
    expect_equal_weights(ALONE, network())


def test_any_rank():
    assert on_threads(3, lambda ranks: any_rank(ranks, ranks.rank == 1)) == [True] * 3
    assert on_threads(3, lambda ranks: any_rank(ranks, False)) == [False] * 3


def test_evaluate_together():
    """Of five images the ranks have two and three, and then the second has one and the first none."""
    x, y = batch()
    pieces = [[(x[:2], y[:2]), (x[:0], y[:0])], [(x[2:], y[2:]), (x[:1], y[:1])]]
    models = [network() for _ in pieces]
    wanted = evaluate(network(), [(x, y), (x[:1], y[:1])])
    for found in on_threads(2, lambda ranks: evaluate_together(models[ranks.rank], pieces[ranks.rank], ranks)):
        assert found.loss == pytest.approx(wanted.loss, rel=1e-12)
        assert (found.correct, found.images) == (wanted.correct, 6)


def test_a_rank_that_drifts_is_noticed():
    models = [network() for _ in range(3)]
    models[2][0].weight.data[0, 0, 0, 0] += 1e-15

    def work(ranks):
        try:
            expect_equal_weights(ranks, models[ranks.rank])
        except ParallelError:
            return "refused"

    assert "refused" in on_threads(3, work)
    models[2][0].weight.data[...] = models[0][0].weight.data
    assert on_threads(3, work) == [None] * 3


@pytest.mark.parametrize("numbers", [(7, 7, 7), (7, 8, 7), (1, 2, 3), (2**48 - 1, 0, 0)])
def test_expect_equal(numbers):
    def work(ranks):
        try:
            expect_equal(ranks, numbers[ranks.rank], "not the same")
        except ParallelError as error:
            return str(error)

    found = on_threads(3, work)
    assert ("not the same" in found) == (len(set(numbers)) > 1)
