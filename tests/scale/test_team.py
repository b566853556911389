"""tinyres/scale/team.py: one step of several ranks, compared with the same step by hand."""

import numpy as np
import pytest
from ranks import on_threads

from tinyres import Tensor, manual_seed, nn, optim
from tinyres.data import Dataset
from tinyres.optim.lr_scheduler import StepLR
from tinyres.scale.parallel import ALONE, ParallelError, RankLoader
from tinyres.scale.parallel.rows import Rows
from tinyres.scale.team import Team, any_rank, backpropagate, evaluate_together, expect_equal, expect_equal_weights
from tinyres.train import Score, evaluate, train_epoch

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
    """Forward and backward pass of these rows. Returns their mean loss."""
    x, y = batch()
    return backpropagate(model, Tensor(x[rows.slice]), Tensor(y[rows.slice]), 0.0, share)[0]


def test_local_batch_norm_by_hand():
    """With local batch norm, the result is the weighted average of two separate networks."""
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


def test_an_epoch_of_two_ranks_is_that_of_one_process():
    """Batches of 2, 2 and 1 image; of the last one, the first rank has none. The second rank is asked to stop."""
    draws = np.random.default_rng(2)
    dataset = Dataset(draws.integers(0, 256, (5, 2, 4, 4), np.uint8), draws.integers(0, 4, 5), tuple("abcd"), "noise")
    models = [network() for _ in range(3)]

    def parts(model, rank=0, size=1):
        optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
        batches = RankLoader(dataset, 2, shuffle=True, dtype=np.float64, prefetch=0, rank=rank, size=size)
        return optimizer, StepLR(optimizer, step_size=2), batches, 1, 0, 0.2  # epoch 1, from 0 on, label smoothing

    def work(ranks):
        team = Team(ranks, models[ranks.rank], "sync")
        scores = []
        for score in team.train_epoch(*parts(models[ranks.rank], ranks.rank, 2), lambda: ranks.rank == 1):
            assert team.stopping
            scores.append(score)
        return scores

    wanted = list(train_epoch(models[2], *parts(models[2])))
    for model, scores in zip(models, on_threads(2, work), strict=False):
        assert [(s.correct, s.images) for s in scores] == [(s.correct, s.images) for s in wanted]
        assert [s.loss for s in scores] == pytest.approx([s.loss for s in wanted], rel=1e-11)
        for name, array in models[2].state_dict().items():
            np.testing.assert_allclose(model.state_dict()[name], array, rtol=1e-10, atol=1e-12, err_msg=name)


def test_alone_nothing_is_summed():
    dataset = [batch()]
    assert evaluate_together(network(), dataset, ALONE) == evaluate(network(), dataset)
    assert any_rank(ALONE, True) and not any_rank(ALONE, False)
    expect_equal_weights(ALONE, network())


def test_any_rank():
    assert on_threads(3, lambda ranks: any_rank(ranks, ranks.rank == 1)) == [True] * 3
    assert on_threads(3, lambda ranks: any_rank(ranks, False)) == [False] * 3


def test_evaluate_together():
    """The ranks have two and three of five images. Of the next batch the first rank has none and the second one."""
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
