"""tinyres/scale/parallel/flat.py"""

import numpy as np
from ranks import on_threads

from tinyres import Tensor
from tinyres.scale.parallel import FlatGradients


def tensors(rank, *shapes):
    draws = np.random.default_rng(rank)
    return [Tensor(draws.standard_normal(shape), requires_grad=True) for shape in shapes]


def test_gradients_averages_and_numbers_in_one_message():
    shares = [0.25, 0.75]

    def work(ranks):
        w, unused, b, running = tensors(ranks.rank, (2, 3), (4,), (1,), (2,))
        before = running.data
        w.grad, b.grad = w.data.T.copy().T, -b.data  # one of them lies in another order
        flat = FlatGradients([w, unused, b], [running], numbers=2)
        numbers = flat.sum(ranks, shares[ranks.rank], [1.5, ranks.rank])
        assert unused.grad is None
        assert running.data is before  # in place: others hold it too
        assert ranks.sent == [6 + 4 + 1 + 2 + 2]
        return w.grad.copy(), b.grad.copy(), running.data.copy(), numbers

    results = on_threads(2, work)
    (w0, _, b0, r0), (w1, _, b1, r1) = (tensors(rank, (2, 3), (4,), (1,), (2,)) for rank in range(2))
    for w, b, running, numbers in results:
        np.testing.assert_allclose(w, w0.data + w1.data)
        np.testing.assert_allclose(b, -b0.data - b1.data)
        np.testing.assert_allclose(running, 0.25 * r0.data + 0.75 * r1.data)
        assert numbers == [3.0, 1.0]


def test_the_next_step_begins_anew():
    def work(ranks):
        (w,) = tensors(0, (3,))
        flat = FlatGradients([w])
        for step in range(1, 4):
            w.grad = np.full(3, float(step))
            flat.sum(ranks, 0.5, [])
            assert w.grad.tolist() == [2.0 * step] * 3

    on_threads(2, work)
