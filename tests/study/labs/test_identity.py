"""tinyres/study/labs/identity.py: zero weights give the identity, and the verdict can be yes or no."""

import numpy as np

from tinyres import Tensor
from tinyres.study import labs
from tinyres.study.labs.lab import picture

identity = labs.find("identity")


class TestIdentity:
    def results(self, plain=1000, residual=10):
        steps = {"plain": {"1": [plain] * 5}, "residual": {"1": [residual] * 5}}
        return {"steps": steps, "distances": {"a": 0.85, "b": 1.46}, "seeds": [0]}

    def test_a_residual_block_of_zeros_is_the_identity_and_a_plain_one_is_nothing(self):
        x = Tensor(np.random.default_rng(0).uniform(0, 1, (3, 16)).astype(np.float32))
        assert np.array_equal(identity.TwoLayers(True, 0.0)(x).data, x.data)
        assert not identity.TwoLayers(False, 0.0)(x).data.any()

    def test_steps_are_counted_and_repeat(self):
        counts = [identity.steps_needed(1, True, 0.01, 0.5, seed=1) for _ in range(2)]
        assert counts[0] == counts[1] < 200

    def test_the_verdict(self):
        assert identity.verdict(self.results()).reproduced
        assert not identity.verdict(self.results(residual=201)).reproduced
        assert not identity.verdict({**self.results(), "distances": {"a": 2.0, "b": 1.0}}).reproduced

    def test_the_picture(self):
        assert len(picture(identity, self.results()).axes) == 2
