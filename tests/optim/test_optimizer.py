"""tinyres/optim: SGD, Adam and AdamW, held against torch and against figures that torch gave."""

import re

import numpy as np
import pytest

from tinyres import Tensor, optim

OPTIMIZERS = {  # and where they have brought the weights 0.5, −1, 2 after 20 steps; written with torch, in float64
    "SGD(lr=0.1)": [-0.5311018928245, -0.5787572777124, 1.4984621423094],
    "SGD(lr=0.1, momentum=0.9)": [-2.3204866022605, 0.3384637152380, 0.7568695862616],
    "SGD(lr=0.1, momentum=0.9, weight_decay=0.01)": [-2.2091707033287, 0.3558022184703, 0.7149291878991],
    "SGD(lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)": [-1.8493117094132, 0.3688240231641, 0.7064255173209],
    "Adam()": [0.4863647879810, -0.9939317320879, 1.9942414121510],
    "Adam(lr=0.1, betas=(0.8, 0.9), eps=1e-4, weight_decay=0.1)": [-0.6038855288077, -0.3624683047451, 1.3058995719007],
    "AdamW(lr=0.1)": [-0.6923204563671, -0.4944798046938, 1.4931643264628],
    "AdamW(lr=0.01, betas=(0.8, 0.9), eps=1e-4, weight_decay=0.5)": [
        0.3282361986648,
        -0.8517325587762,
        1.7574779611266,
    ],
}
START = np.array([0.5, -1.0, 2.0])


def make(library, text, params):
    """`text` says all but the parameters."""
    name, settings = text.split("(", 1)
    return eval(f"{name}(params, {settings}", {**vars(library), "params": params})


def gradient(w, step):
    """That of a bowl around 0 that shakes from step to step."""
    return 0.3 * w + np.random.RandomState(step).standard_normal(w.shape)


def walk(optimizer, w, steps):
    for step in steps:
        w.grad = gradient(w.data, step)
        optimizer.step()


def torch_or_skip():
    return pytest.importorskip("torch", reason="torch is not installed: stored figures stand in for it")


class TestSteps:
    @pytest.mark.parametrize("text", OPTIMIZERS)
    def test_twenty_steps(self, text):
        w = Tensor(START.copy())
        walk(make(optim, text, [w]), w, range(20))
        np.testing.assert_allclose(w.data, OPTIMIZERS[text], rtol=0, atol=1e-12)

    @pytest.mark.parametrize("text", OPTIMIZERS)
    def test_every_step_as_torch(self, text):
        torch = torch_or_skip()
        w, theirs = Tensor(START.copy()), torch.tensor(START, requires_grad=True)
        optimizer, their_optimizer = make(optim, text, [w]), make(torch.optim, text, [theirs])
        for step in range(20):
            theirs.grad = torch.tensor(gradient(theirs.detach().numpy(), step))
            their_optimizer.step()
            walk(optimizer, w, [step])
            np.testing.assert_allclose(w.data, theirs.detach(), rtol=0, atol=1e-12)

    def test_sgd_by_hand(self):
        w = Tensor([1.0])
        optimizer = optim.SGD([w], lr=0.5, momentum=0.5)
        positions = []
        for _ in range(3):
            w.grad = np.ones(1, np.float32)
            optimizer.step()
            positions.append(w.item())
        assert positions == [0.5, -0.25, -1.125]  # v = 1, 1.5, 1.75

    def test_adams_first_step_is_lr_whatever_the_gradient(self):
        for size in (1e-4, 1, 1e4):
            w = Tensor([1.0])
            w.grad = np.array([size], np.float32)
            optim.Adam([w], lr=0.25).step()
            assert w.item() == pytest.approx(0.75, abs=1e-4)

    def test_weight_decay_pulls_to_zero_without_any_gradient(self):
        for text, wanted in (("SGD(lr=0.1, weight_decay=0.5)", 0.95), ("AdamW(lr=0.1, weight_decay=0.5)", 0.95)):
            w = Tensor([1.0])
            w.grad = np.zeros(1, np.float32)
            make(optim, text, [w]).step()
            assert w.item() == pytest.approx(wanted)

    def test_a_learning_rate_of_zero_changes_nothing(self):
        w = Tensor([1.0])
        w.grad = np.ones(1, np.float32)
        optim.SGD([w], lr=0.0).step()
        assert w.item() == 1

    @pytest.mark.parametrize("text", OPTIMIZERS)
    def test_float32_stays_float32_and_the_gradient_unwritten(self, text):
        w = Tensor(START.astype(np.float32))
        array = w.data
        optimizer = make(optim, text, [w])
        for _ in range(2):
            w.grad = np.ones(3, np.float32)
            w.grad.flags.writeable = False
            optimizer.step()
        assert w.data is array and array.dtype == np.float32
        assert {a.dtype for a in optimizer.state_dict().values() if a.ndim} <= {np.dtype(np.float32)}


class TestGroups:
    def test_each_has_its_settings(self):
        a, b = Tensor([1.0]), Tensor([1.0])
        groups = [{"params": [a]}, {"params": [b], "lr": 0.5, "weight_decay": 0.1}]
        optimizer = optim.SGD(groups, lr=0.1)
        for w in (a, b):
            w.grad = np.ones(1, np.float32)
        optimizer.step()
        assert a.item() == pytest.approx(0.9)
        assert b.item() == pytest.approx(1 - 0.5 * (1 + 0.1))

    def test_as_torch(self):
        torch = torch_or_skip()
        ours = [Tensor(START.copy()), Tensor(START.copy())]
        theirs = [torch.tensor(START, requires_grad=True) for _ in ours]
        optimizers = []
        for library, (a, b) in ((optim, ours), (torch.optim, theirs)):
            optimizers.append(library.SGD([{"params": [a]}, {"params": [b], "lr": 0.02, "momentum": 0.5}], lr=0.1))
        for step in range(5):
            for w, w_theirs in zip(ours, theirs, strict=True):
                w.grad = gradient(w.data, step)
                w_theirs.grad = torch.tensor(w.grad)
            for optimizer in optimizers:
                optimizer.step()
        for w, w_theirs in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(w.data, w_theirs.detach(), rtol=0, atol=1e-12)

    def test_what_has_no_gradient_stays(self):
        a, b = Tensor([1.0]), Tensor([1.0])
        optimizer = optim.AdamW(iter([a, b]))
        a.grad = np.ones(1, np.float32)
        optimizer.step()
        assert a.item() != 1 and b.item() == 1

    def test_zero_grad(self):
        w = Tensor([1.0])
        w.grad = np.ones(1, np.float32)
        optim.SGD([w]).zero_grad()
        assert w.grad is None

    def test_zero_grad_reaches_every_group(self):
        parameters = [Tensor([1.0]) for _ in range(4)]
        for w in parameters:
            w.grad = np.ones(1, np.float32)
        optim.SGD([{"params": parameters[:2]}, {"params": parameters[2:]}]).zero_grad()
        assert [w.grad for w in parameters] == [None] * 4


class TestState:
    @pytest.mark.parametrize("text", OPTIMIZERS)
    def test_a_resumed_run_makes_the_very_same_steps(self, text):
        w = Tensor(START.copy())
        optimizer = make(optim, text, [w])
        walk(optimizer, w, range(10))
        resumed = Tensor(w.data.copy())
        state = optimizer.state_dict()
        other = make(optim, text, [resumed])
        other.load_state_dict(state)
        walk(optimizer, w, range(10, 20))  # which must not reach into what was handed over
        walk(other, resumed, range(10, 20))
        assert np.array_equal(w.data, resumed.data)

    def test_names(self):
        a, b = Tensor([1.0]), Tensor([1.0])
        optimizer = optim.Adam([{"params": [a]}, {"params": [b]}])
        assert optimizer.state_dict() == {}
        b.grad = np.ones(1, np.float32)
        optimizer.step()
        assert list(optimizer.state_dict()) == ["1.step", "1.m", "1.v"]

    @pytest.mark.parametrize("key", ["2.momentum", "momentum", "-1.momentum"])
    def test_a_foreign_state(self, key):
        optimizer = optim.SGD([Tensor([1.0]), Tensor([1.0])])
        with pytest.raises(ValueError, match=re.escape(f"SGD: this state has '{key}'; there are 2 parameters")):
            optimizer.load_state_dict({key: np.ones(1)})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optim.SGD([]), "SGD: got no parameters; pass model.parameters()"),
        (lambda: optim.Adam([Tensor([1.0])], lr=-0.1), "Adam: expected a learning rate of 0 or more, got -0.1"),
        (
            lambda: optim.SGD([{"params": [Tensor([1.0])]}, {"params": [Tensor([1.0])], "lr": -2.0}]),
            "SGD: expected a learning rate of 0 or more, got -2.0",
        ),
        (lambda: optim.SGD([Tensor([1.0])], nesterov=True), "SGD: nesterov needs a momentum above 0"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
