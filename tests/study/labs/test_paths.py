"""tinyres/study/labs/paths.py: the parts are exact, and the verdict follows them."""

import numpy as np

from tinyres.study import labs
from tinyres.study.labs.lab import picture
from tinyres.study.labs.twins import twin

lab = labs.find("paths")


def split(depth=14):
    model = twin("residual", depth, 10, seed=0).double()
    draws = np.random.default_rng(0)
    return lab.split(model, draws.standard_normal((2, 3, 16, 16)), np.array([3, 7]))


def results(**changed):
    run = {**split(), **changed}
    return {"depth": 14, "blocks": 6, "data": "made up", "runs": [{"before training": run, "after training": run}] * 3}


def test_the_parts_add_up():
    found = split()
    assert found["largest_error"] < 1e-12
    assert len(found["by_length"]) == 7 and len(found["identity_and_branch"]) == 6


def test_a_net_whose_branches_are_dead_has_only_the_path_of_identities():
    model = twin("residual", 8, 10, seed=0).double()
    for stage in model.stages():
        for block in stage.children():
            block.bn2.weight.data[:] = 0
    found = lab.split(model, np.random.default_rng(0).standard_normal((2, 3, 16, 16)), np.array([3, 7]))
    assert found["by_length"][0] > 0 and not any(found["by_length"][1:])
    np.testing.assert_allclose(found["by_length"][0], found["whole"], rtol=1e-12)


def test_the_verdict():
    short, long = [5.0, 3, 1, 0, 0, 0, 0], [0.0, 0, 0, 0, 1, 3, 5]
    assert lab.verdict(results(by_length=short)).reproduced
    assert not lab.verdict(results(by_length=long)).reproduced
    assert not lab.verdict(results(by_length=short, largest_error=1e-9)).reproduced
    two_of_three = results(by_length=short)
    two_of_three["runs"][1] = results(by_length=long)["runs"][1]
    assert lab.verdict(two_of_three).reproduced


def test_the_picture_and_the_table():
    assert lab.table(results())[1][2][:2] == [2, 15]
    assert "64 paths" in picture(lab, results()).axes[1].get_title()
