"""tinyres/study/labs/gradient_flow.py: the norms are those of autograd, and the verdict follows them."""

import numpy as np

from tinyres import Tensor
from tinyres.nn import BatchNorm2d, Identity
from tinyres.nn import functional as F
from tinyres.study import labs
from tinyres.study.labs.twins import twin

lab = labs.find("gradient-flow")


def results(**f):
    f = {"bad": 1e-9, "He": 0.5, "normed": 5.0, "residual bad": 0.1} | f

    def every(value):
        return [[value, 1.0]] * 3

    norms = {
        "plain": {
            "without batch norm": {"bad": every(f["bad"]), "Xavier": every(1e-3), "He": every(f["He"])},
            "with batch norm": {name: every(f["normed"]) for name in ("bad", "Xavier", "He")},
        },
        "residual": {
            "without batch norm": {"bad": every(f["residual bad"]), "Xavier": every(1), "He": every(9)},
            "with batch norm": {name: every(1) for name in ("bad", "Xavier", "He")},
        },
    }
    return {"depth": 44, "norms": norms}


def test_the_verdict():
    assert lab.verdict(results()).reproduced
    for f in ({"bad": 1e-5}, {"He": 1e-3}, {"normed": 101.0}, {"residual bad": 9e-7}):
        assert not lab.verdict(results(**f)).reproduced, f


def test_batch_norm_is_taken_out():
    model = lab.network("plain", 8, False, "He", 10, seed=0)
    kinds = {type(module) for module in model.modules()}
    assert BatchNorm2d not in kinds and Identity in kinds


def test_weights_are_drawn_as_they_are_called():
    deviation = {
        weights: lab.network("plain", 8, True, weights, 10, seed=0).layer3[0].conv2.weight.data.std()
        for weights in lab.WEIGHTS
    }
    fan = 64 * 9
    wanted = {"bad": 0.01, "Xavier": np.sqrt(1 / fan), "He": np.sqrt(2 / fan)}
    for weights, found in deviation.items():
        np.testing.assert_allclose(found, wanted[weights], rtol=0.02)


def test_the_norm_of_the_last_convolutions_gradient():
    """The same norms, from gradients that are requested by hand."""
    model, x = twin("plain", 8, 10, seed=0).double(), np.random.default_rng(0).standard_normal((4, 3, 8, 8))
    labels = np.array([0, 1, 2, 3])
    found = lab.norms(model, x, labels)
    assert len(found) == 7
    kept = []

    def keep(module, inputs, y):
        y.retain_grad()
        kept.append(y)

    model.layer3[0].conv2.register_forward_hook(keep)
    F.cross_entropy(model(Tensor(x)), labels).backward()
    np.testing.assert_allclose(found[-1], np.linalg.norm(kept[0].grad), rtol=1e-12)
