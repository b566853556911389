"""tinyres/scale/parallel/sync_batch_norm.py: over ranks, batch norm is that of the whole batch, both ways."""

import numpy as np
import pytest
from ranks import on_threads

from tinyres import Tensor
from tinyres.nn import functional as F
from tinyres.nn import fused
from tinyres.scale.parallel import synchronised
from tinyres.scale.parallel.rows import Rows

CHANNELS = 3


@pytest.fixture(autouse=True)
def kernels_for_threads(monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")  # numba's own threads are not for several threads at once


def plain(x, s, *more):
    return F.batch_norm(x, *more)


def relu(x, s, *more):
    return fused.batch_norm_relu(x, F.Norm(*more))


def add_relu(x, s, *more):
    return fused.batch_norm_add_relu(x, s, F.Norm(*more))


CALLS = (plain, relu, add_relu)


def draw(N, *size, seed=0):
    draws = np.random.default_rng(seed)
    shape = (N, CHANNELS, *size)
    x, s, gy = 3 * draws.standard_normal(shape) + 2, draws.standard_normal(shape), draws.standard_normal(shape)
    return x, s, gy, draws.uniform(0.5, 2, CHANNELS), draws.standard_normal(CHANNELS)


def forward_and_backward(call, x, s, gy, gamma, beta):
    """y, gx, gs, ggamma, gbeta, and the running statistics after one step."""
    leaves = [Tensor(a, requires_grad=True) for a in (x, s, gamma, beta)]
    running = Tensor(np.zeros(CHANNELS, x.dtype)), Tensor(np.ones(CHANNELS, x.dtype))
    y = call(*leaves[:2], *running, *leaves[2:], True, 0.1)
    y.backward(gy)
    gx, gs, ggamma, gbeta = (leaf.grad for leaf in leaves)
    return y.data, gx, gs, ggamma, gbeta, running[0].data, running[1].data


def over_ranks(call, size, x, s, gy, gamma, beta):
    """The same, made on so many ranks and put together."""

    def work(ranks):
        rows = Rows.of(len(x), ranks.rank, ranks.size)
        mine = [a[rows.slice] for a in (x, s, gy)]
        if not len(mine[0]):
            mine = [x[:1] * 0 + 7, s[:1], gy[:1] * 0]  # anything, with no gradient
        with synchronised(ranks, rows):
            results = forward_and_backward(call, *mine, gamma, beta)
        keep = slice(0, rows.stop - rows.start)
        return [a if a is None else a[keep] for a in results[:3]] + list(results[3:]), ranks.sent

    parts, sent = zip(*on_threads(size, work), strict=True)
    assert all(sizes == [2 * CHANNELS] * 2 for sizes in sent)  # two messages, one each way
    y, gx, gs = (None if parts[0][k] is None else np.concatenate([part[k] for part in parts]) for k in range(3))
    for k in (5, 6):
        assert all(np.array_equal(part[k], parts[0][k]) for part in parts)
    return y, gx, gs, sum(part[3] for part in parts), sum(part[4] for part in parts), *parts[0][5:]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
@pytest.mark.parametrize(("size", "N", "shape"), [(2, 4, (3, 2)), (3, 7, (2, 2)), (4, 3, (2,)), (2, 5, ())])
def test_as_over_the_whole_batch(call, size, N, shape):
    """Of 7 rows on 3 ranks one has more; of 3 on 4 one has none; of 5 with one value each M is odd."""
    arrays = draw(N, *shape)
    for found, wanted in zip(over_ranks(call, size, *arrays), forward_and_backward(call, *arrays), strict=True):
        assert (found is None) == (wanted is None)
        if wanted is not None:
            np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_gradient_against_the_slope_over_ranks(call):
    """x on all ranks moves along a direction: the sum of all ranks' ⟨y, gy⟩ has the slope that gx, gamma, beta say.

    float64, central differences; the direction is random, for along some others batch norm stands still.
    """
    x, s, gy, gamma, beta = draw(5, 2, 2, seed=1)
    draws = np.random.default_rng(2)
    directions = [draws.standard_normal(a.shape) for a in (x, s, gamma, beta)]

    def value(step):
        moved = [a + step * d for a, d in zip((x, s, gamma, beta), directions, strict=True)]
        y = over_ranks(call, 2, moved[0], moved[1], gy, moved[2], moved[3])[0]
        return float((y * gy).sum())

    gradients = over_ranks(call, 2, x, s, gy, gamma, beta)[1:5]
    claimed = sum(float((g * d).sum()) for g, d in zip(gradients, directions, strict=True) if g is not None)
    step = 1e-5
    slope = (value(step) - value(-step)) / (2 * step)
    assert claimed == pytest.approx(slope, rel=1e-7)


def test_float32_far_from_zero():
    """The mean is a thousand times the deviation: more than one pass over float32 would survive."""
    x, s, gy, gamma, beta = (a.astype(np.float32) for a in draw(8, 4, 4))
    x += 3000
    found, wanted = over_ranks(plain, 4, x, s, gy, gamma, beta), forward_and_backward(plain, x, s, gy, gamma, beta)
    exact = forward_and_backward(plain, *(a.astype(np.float64) for a in (x, s, gy, gamma, beta)))
    assert np.abs(found[0] - exact[0]).max() <= 2 * np.abs(wanted[0] - exact[0]).max() + 1e-3


def test_too_few_values_over_all_ranks():
    def work(ranks):
        rows = Rows.of(1, ranks.rank, ranks.size)
        with synchronised(ranks, rows), pytest.raises(ValueError, match="more than one value per channel"):
            F.batch_norm(Tensor(np.ones((1, 3))), None, None)

    on_threads(2, work)


def test_rows_that_are_not_the_piece():
    def work(ranks):
        with (
            synchronised(ranks, Rows.of(6, ranks.rank, 2)),
            pytest.raises(ValueError, match="expected the 3 rows of this rank's part of the batch, got 2"),
        ):
            F.batch_norm(Tensor(np.ones((2, 3, 4, 4))), None, None)

    on_threads(2, work)


def test_outside_it_is_over():
    x, _, _, gamma, beta = draw(4, 2)

    def work(ranks):
        with synchronised(ranks, Rows.of(8, ranks.rank, 2)):
            pass
        y = plain(Tensor(x), None, None, None, Tensor(gamma), Tensor(beta), True)
        assert ranks.sent == []
        return y.data

    for y in on_threads(2, work):
        np.testing.assert_array_equal(y, plain(Tensor(x), None, None, None, Tensor(gamma), Tensor(beta), True).data)
