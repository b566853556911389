"""tinyres/study/labs/shattered.py: the fit tells the laws apart, and the nets follow the theorems."""

import numpy as np
import pytest

from tinyres.study import labs
from tinyres.study.labs.lab import picture

lab = labs.find("shattered")
DEPTHS = [1, 2, 3, 4, 6, 8]


@pytest.mark.parametrize("law", lab.LAWS)
def test_a_law_is_recognised_by_its_own_numbers(law):
    draws = np.random.default_rng(0)
    exact = 0.7 * np.exp(lab.LAWS[law](np.array(DEPTHS)))
    every = (exact[:, None] * draws.normal(1, 0.1, (len(DEPTHS), 40))).tolist()
    found = lab.judged(DEPTHS, every, seed=0)
    assert found["best"] == law and found["share"] > 0.9


def test_one_layer_of_the_centred_plain_net_halves_the_correlation():
    """Half of the units are active, a quarter at both inputs: E = 1/2."""
    r = np.mean([lab.correlation("plain, centred", 1, 128, seed) for seed in range(20)])
    assert 0.45 < r < 0.55


def test_one_residual_layer_makes_it_three_quarters():
    r = np.mean([lab.correlation("residual, centred", 1, 128, seed) for seed in range(20)])
    assert 0.70 < r < 0.80


def test_without_centring_depth_does_not_shatter():
    bare, centred = (
        np.mean([lab.correlation(net, 10, 64, s) for s in range(5)]) for net in ("plain", "plain, centred")
    )
    assert bare > 10 * abs(centred)


def results(best="1/2^L", share=1.0):
    nets = {net: {"r": [0.5] * 6, "noise": [0.01] * 6, "best": law, "share": 1.0} for net, law in lab.CLAIMED.items()}
    nets["plain, centred"] |= {"best": best, "share": share}
    nets |= {net: {**nets["plain, centred"]} for net in ("plain", "residual")}
    return {"depths": [4, 8, 16, 32, 48, 64], "width": 8, "nets": {net: nets[net] for net in lab.NETS}}


def test_the_verdict():
    assert lab.verdict(results()).reproduced
    assert not lab.verdict(results(best="1/√L")).reproduced
    assert not lab.verdict(results(share=0.9)).reproduced


def test_the_picture_and_the_table():
    assert len(lab.table(results())[1]) == 5
    assert len(picture(lab, results()).axes) == 2
