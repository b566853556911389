"""tinyres/optim/lr_scheduler.py, held against torch and against figures worked out by hand."""

from math import cos, pi

import numpy as np
import pytest

from tinyres import Tensor, optim
from tinyres.optim import lr_scheduler

SCHEDULES = (  # as both libraries write them
    "StepLR(optimizer, 7)",
    "StepLR(optimizer, 7, 0.5)",
    "MultiStepLR(optimizer, [10, 20])",
    "MultiStepLR(optimizer, [5, 5, 25], gamma=0.3)",
    "CosineAnnealingLR(optimizer, 30)",
    "CosineAnnealingLR(optimizer, 30, 0.01)",
    "OneCycleLR(optimizer, 0.5, 31, cycle_momentum=False)",
    "OneCycleLR(optimizer, 0.5, 31, pct_start=0.1, div_factor=10.0, final_div_factor=100.0, cycle_momentum=False)",
    "OneCycleLR(optimizer, 0.5, 31, pct_start=0.01, cycle_momentum=False)",
)


def schedule(text, lr=0.1, library=lr_scheduler, optimizer=None):
    text = (
        text.replace(", cycle_momentum=False", "") if library is lr_scheduler else text
    )  # ours never touches momentum
    return eval(text, {**vars(library), "optimizer": optimizer or optim.SGD([Tensor([1.0])], lr=lr)})


def rates(schedule, steps):
    """The learning rate before each step."""
    result = []
    for _ in range(steps):
        result.append(schedule.get_last_lr()[0])
        schedule.step()
    return result


class TestSchedules:
    @pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # torch wants an optimizer.step() too
    @pytest.mark.parametrize("text", SCHEDULES)
    def test_as_torch(self, text):
        torch = pytest.importorskip("torch", reason="torch is not installed: figures by hand stand in for it")
        settings = [{"params": [], "lr": 0.1}, {"params": [], "lr": 0.03}]
        ours = optim.SGD([{**group, "params": [Tensor([1.0])]} for group in settings])
        theirs = torch.optim.SGD([{**group, "params": [torch.ones(1)]} for group in settings])
        schedules = schedule(text, optimizer=ours), schedule(text, library=torch.optim.lr_scheduler, optimizer=theirs)
        for t in range(31):
            for s in schedules if t > 0 else ():
                s.step()
            np.testing.assert_allclose(*(s.get_last_lr() for s in schedules), rtol=1e-12, atol=1e-15)
            assert [group["lr"] for group in ours.param_groups] == schedules[0].get_last_lr()

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("LRScheduler(optimizer)", [1.0] * 6),
            ("StepLR(optimizer, 2)", [1, 1, 0.1, 0.1, 0.01, 0.01]),
            ("MultiStepLR(optimizer, [1, 4], gamma=0.5)", [1, 0.5, 0.5, 0.5, 0.25, 0.25]),
            ("CosineAnnealingLR(optimizer, 4)", [(1 + cos(pi * t / 4)) / 2 for t in range(5)] + [0]),
            ("CosineAnnealingLR(optimizer, 2, eta_min=0.2)", [1, 0.6, 0.2, 0.2, 0.2, 0.2]),
            ("OneCycleLR(optimizer, 2.0, 6, pct_start=0.5)", [0.08, 1.04, 2, 1.5000020, 0.5000060, 0.000008]),
            (
                "OneCycleLR(optimizer, 2.0, 5, pct_start=0.2)",
                [2, 1.7071079, 1.000004, 0.2929, 8e-6, 8e-6],
            ),  # no way up
            ("WarmUp(StepLR(optimizer, 3), steps=2, start=0.1)", [0.1, 0.1, 1, 0.1, 0.1, 0.1]),
        ],
    )
    def test_by_hand(self, text, wanted):
        np.testing.assert_allclose(rates(schedule(text, lr=1.0), 6), wanted, rtol=1e-6, atol=1e-15)

    def test_the_papers_schedules(self):
        """0.1, divided by 10 at 32k and 48k; ResNet-110 at 0.01 for its first 400 iterations."""
        usual = schedule("MultiStepLR(optimizer, [32_000, 48_000])")
        warm = schedule("WarmUp(MultiStepLR(optimizer, [32_000, 48_000]), steps=400, start=0.1)")
        for t, lr in ((400, 0.1), (31_999, 0.1), (32_000, 0.01), (47_999, 0.01), (48_000, 0.001), (63_999, 0.001)):
            for schedule_ in (usual, warm):
                schedule_.goto(t)
                assert schedule_.get_last_lr() == [pytest.approx(lr)]
        for t, lr in ((0, 0.01), (399, 0.01), (400, 0.1)):
            warm.goto(t)
            assert warm.get_last_lr() == [pytest.approx(lr)]

    @pytest.mark.parametrize("text", [*SCHEDULES, "WarmUp(CosineAnnealingLR(optimizer, 30), steps=5, start=0.1)"])
    def test_goto_is_that_many_steps(self, text):
        walked = rates(schedule(text), 40)
        for t in (0, 3, 17, 39):
            jumped = schedule(text)
            jumped.goto(t)
            assert rates(jumped, 1) == [walked[t]]

    def test_they_end_where_they_say_and_stay(self):
        for text, last in (("CosineAnnealingLR(optimizer, 30, 0.01)", 0.01), ("OneCycleLR(optimizer, 0.5, 31)", 2e-6)):
            assert rates(schedule(text), 50)[30:] == [pytest.approx(last)] * 20

    def test_every_group_keeps_its_own_rate(self):
        optimizer = optim.SGD([{"params": [Tensor([1.0])], "lr": lr} for lr in (1.0, 0.1)])
        stepwise = lr_scheduler.StepLR(optimizer, 1)
        stepwise.step()
        assert stepwise.get_last_lr() == [pytest.approx(0.1), pytest.approx(0.01)]

    def test_a_cycle_needs_steps(self):
        with pytest.raises(ValueError, match="OneCycleLR: expected total_steps of 1 or more, got 0"):
            schedule("OneCycleLR(optimizer, 0.1, total_steps=0)")
