"""Random small networks of the ops on images, layer upon layer with ways around them: gradcheck through all of it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from properties.calls import SEEDS

import tinyres
from tinyres import Tensor
from tinyres.nn import functional as F
from tinyres.nn import fused

C = 2
GATES = Tensor(np.array([9.0, -9.0]))  # of ReLUs: one channel lies well above the kink, the other well below
# x, r (N,C,H,W): what came last and something from before, w (C,C,3,3), gamma, beta (C) -> (N,C,H,W)
LAYERS = {
    "conv": lambda x, r, w, gamma, beta: F.conv2d(x, w, beta, padding=1),
    "norm": lambda x, r, w, gamma, beta: F.batch_norm(x, None, None, gamma, beta, training=True, eps=0.1),
    "norm, relu": lambda x, r, w, gamma, beta: fused.batch_norm_relu(
        x, F.Norm(None, None, gamma, beta + GATES, training=True, eps=0.1)
    ),
    "norm, add, relu": lambda x, r, w, gamma, beta: fused.batch_norm_add_relu(
        x, r.tanh(), F.Norm(None, None, gamma, beta + GATES, training=True, eps=0.1)
    ),
    "add": lambda x, r, w, gamma, beta: x + r,
    "tanh": lambda x, r, w, gamma, beta: x.tanh(),
    "max_pool": lambda x, r, w, gamma, beta: F.max_pool2d(x, 3, stride=1, padding=1),
    "avg_pool": lambda x, r, w, gamma, beta: F.avg_pool2d(x, 3, stride=1, padding=1),
    "cat": lambda x, r, w, gamma, beta: tinyres.cat([x, r], 1)[:, 1 : C + 1],
    "up, down": lambda x, r, w, gamma, beta: F.avg_pool2d(F.interpolate(x, scale_factor=2), 2),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(LAYERS)), st.integers(0, 3)), min_size=2, max_size=6), SEEDS)
def test_gradcheck(layers, seed):
    draws = np.random.default_rng(seed)
    shapes = (2, C, 4, 3), (C, C, 3, 3), (C,), (C,)
    inputs = [Tensor(draws.standard_normal(shape) / 2, requires_grad=True) for shape in shapes]

    def network(x, w, gamma, beta):
        seen = [x]
        for name, back in layers:
            seen.append(LAYERS[name](seen[-1], seen[max(0, len(seen) - 1 - back)], w, gamma, beta))
        return seen[-1]

    tinyres.gradcheck(network, inputs, seed=seed % 1000)
