"""tinyres/scale/recordable.py: what stands in the way of a recording. test_captured.py tries it on whole networks."""

import numpy as np
import pytest

from tinyres import Tensor, nn, optim
from tinyres.data import Dataset, Loader
from tinyres.scale.recordable import NotRecordable, gradient_of, refuse_other_work, settings_of


def test_sgd_with_one_group():
    model = nn.Linear(2, 2)
    wanted = {"momentum": 0.9, "decay": 1e-4, "nesterov": True}
    assert settings_of(optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True)) == wanted
    groups = [{"params": [model.weight]}, {"params": [model.bias]}]
    with pytest.raises(NotRecordable, match="SGD, 2 groups"):
        settings_of(optim.SGD(groups, lr=0.1))


def test_the_kernels_of_the_cpu_are_not_recorded():
    loader = Loader(Dataset(np.zeros((2, 3, 8, 8), np.uint8), np.zeros(2, np.int64), ("a",), "black"), 2)
    with pytest.raises(NotRecordable, match="other kernels than those of the rung gpu"):
        refuse_other_work(nn.Linear(2, 2), loader)


def test_a_gradient_must_lie_like_its_parameter():
    parameter = Tensor(np.zeros((2, 3, 1)), requires_grad=True)
    with pytest.raises(NotRecordable, match="or is missing"):
        gradient_of(parameter)
    parameter.grad = np.ones((3, 2, 1)).transpose(1, 0, 2)
    with pytest.raises(NotRecordable, match=r"a parameter \(2, 3, 1\) whose gradient lies in another order"):
        gradient_of(parameter)
    parameter.grad = np.ones((1, 2, 3)).transpose(1, 2, 0)  # the axis of length 1 may lie anywhere
    assert gradient_of(parameter) is parameter.grad
