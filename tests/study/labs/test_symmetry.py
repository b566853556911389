"""tinyres/study/labs/symmetry.py: the matrices are degenerate as named, and the verdict can be yes or no."""

import numpy as np

from tinyres.study import labs
from tinyres.study.labs.lab import picture

symmetry = labs.find("symmetry")


class TestSymmetry:
    def results(self, rank=8, apart=0.5, alive=0.1):
        def run(rank, apart, loss):
            return [{"rank": rank, "apart": [0, apart], "losses": [1.0, loss]}] * 3

        return {case: {"plain": run(7, 0, 1.0), "residual": run(rank, apart, alive)} for case in symmetry.CASES}

    def test_equal_units_stay_equal_without_the_skip_and_part_with_it(self):
        assert symmetry.train("b", 0.0, seed=3)["apart"][-1] == 0
        assert symmetry.train("b", 1.0, seed=3)["apart"][-1] > 0.01

    def test_degenerate_as_they_are_called(self):
        rank = {case: np.linalg.matrix_rank(symmetry.degenerate(case, np.random.default_rng(0))[0]) for case in "abc"}
        assert rank == {"a": 0, "b": 7, "c": 7}

    def test_the_verdict(self):
        assert symmetry.verdict(self.results()).reproduced
        for changed in ({"rank": 7}, {"apart": 0.0}, {"alive": 1.0}):
            assert not symmetry.verdict(self.results(**changed)).reproduced

    def test_the_picture(self):
        assert len(picture(symmetry, self.results()).axes) == 4
