"""detect_anomaly finds an array that an op saved and that changed before its backward."""

import re
import weakref

import numpy as np
import pytest

import tinyres
from tinyres import AnomalyError, Op, Tensor, nn, optim
from tinyres.look.anomaly.saved_arrays import SavedArrays, arrays_of, checksum
from tinyres.nn import functional as F


def leaf(*shape):
    return Tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True)


def message(call):
    with pytest.raises(AnomalyError) as error, tinyres.detect_anomaly():
        call()
    return str(error.value)


def test_an_input_is_named():
    def call():
        a, b = leaf(2, 3), leaf(3)
        y = a * b
        b.data[1] += 1
        y.sum().backward()

    text = message(call)
    assert text.startswith("Multiply: an array that it saved was changed between forward and backward")
    assert re.search(r"array +saved\[1\], float64 \(3,\), which is the op's input 1\n", text)
    assert re.search(r"line +.*test_saved_arrays.py:\d+  y = a \* b\n", text)
    assert "make a new array with x.data = x.data + 1 instead of x.data += 1" in text


def test_an_output_is_named():
    def call():
        y = leaf(3).exp()
        y.data *= 2
        y.sum().backward()

    assert re.search(r"array +saved\[0\], float64 \(3,\), which is the op's output\n", message(call))


def test_an_optimiser_step_too_early():
    def call():
        layer = nn.Linear(3, 2)
        optimizer = optim.SGD(layer.parameters(), lr=0.1)
        layer(leaf(4, 3).to("float32")).sum().backward()
        loss = layer(leaf(4, 3).to("float32")).sum()
        optimizer.step()
        loss.backward()

    text = message(call)
    assert "Linear: an array" in text and "input 1, a Parameter" in text and "call them after backward" in text


def test_a_change_through_another_view():
    def call():
        everything = np.arange(12.0).reshape(4, 3)
        y = Tensor(everything.T, requires_grad=True) ** 2
        everything[3, 0] = 7
        y.sum().backward()

    assert "Power: an array" in message(call)


def test_an_array_that_is_not_in_saved():
    """Batch norm in eval mode holds the running mean outside `saved`; a forward in training mode changes it."""

    def call():
        norm, x = nn.BatchNorm2d(3).double().eval(), leaf(2, 3, 4, 4)
        y = norm(x)
        norm.train()(x)
        y.sum().backward()

    assert re.search(r"BatchNormEval: .*\n +array +mean, float64 \(3,\)\n", message(call))


def test_nothing_is_wrong_with_changes_afterwards_or_of_what_is_not_needed():
    with tinyres.detect_anomaly():
        x = leaf(3)
        y = x + 1  # Add saves nothing
        x.data += 1
        y.sum().backward()
        y = x * x
        y.sum().backward()
        x.data += 1
        with tinyres.no_grad():
            x * x
        x.data += 1
        (x * x).sum().backward(retain_graph=True)


def test_a_retained_graph_is_looked_at_again():
    x = leaf(3)
    with tinyres.detect_anomaly():
        y = (x * x).sum()
        y.backward(retain_graph=True)
        x.data += 1
        with pytest.raises(AnomalyError, match="Multiply: an array that it saved"):
            y.backward()


def test_a_whole_training_step_passes():
    tinyres.manual_seed(0)
    model = tinyres.nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with tinyres.detect_anomaly():
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(leaf(2, 3, 8, 8).to("float32")), [0, 1]).backward()
            optimizer.step()


class Nested(Op):
    def forward(self, x):
        self.saved = (x, (np.ones(2), [np.zeros(3)], None), "text", 3)
        return x * 1

    def backward(self, gy):
        return gy


def test_arrays_in_arrays():
    op = Nested()
    op(leaf(4))
    found = {where: array.shape for where, array in arrays_of(op)}
    assert found == {"saved[0]": (4,), "saved[1][0]": (2,), "saved[1][1][0]": (3,)}


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a,
        lambda a: a[::2],
        lambda a: a[:, ::-1],
        lambda a: a.transpose(0, 2, 1),
        lambda a: a[:0],
        lambda a: a[:1, 0, 0].reshape(()),
        lambda a: a > 0,
        lambda a: a.astype("f2"),
    ],
    ids=["dense", "strided", "reversed", "transposed", "empty", "number", "bool", "half"],
)
def test_a_checksum_is_of_the_values_wherever_they_lie(change):
    array = change(np.random.default_rng(0).standard_normal((4, 3, 5)))
    before = checksum(array)
    assert checksum(array) == before
    if array.size:
        last = (-1,) * array.ndim
        array[last] = not array[last] if array.dtype == bool else array[last] + 1
        assert checksum(array) != before


def test_nothing_lives_longer_for_being_watched(no_gc):
    x = leaf(1000)
    with tinyres.detect_anomaly():
        y = nn.Identity()(x.exp())
        dead = [weakref.ref(y.op), weakref.ref(y.node), weakref.ref(y.data)]
        y = y.exp()  # so that y.data was saved and an input, too
        del y
        assert [ref() for ref in dead] == [None] * 3


def test_the_watcher_alone():
    x = leaf(3)
    with tinyres.observe(SavedArrays()):
        y = x.exp()
        y.data += np.nan  # this check does not care about NaN
        with pytest.raises(AnomalyError, match="Exp: an array that it saved was changed"):
            y.sum().backward()
