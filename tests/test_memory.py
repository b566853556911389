"""Nothing is kept that will not be used: what a step allocates is gone after it, and on the way as soon as can be.

The garbage collector is off in all of these tests. Python then frees an object when the last reference to it goes, and
whatever refers to itself, however indirectly, stays for ever. Large arrays must not wait for a collector that counts
objects and knows nothing of their size: so the engine makes no such cycles.
"""

import gc
import os
import subprocess
import sys
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest
from small_training import Hoarding, Identity, InACycle, Training, growth, traced

import tinyres
from tinyres import Observer, Op, Tensor, models, no_grad

pytestmark = pytest.mark.usefixtures("no_gc")


@pytest.fixture(params=["array", "cpu"])
def rung(request, monkeypatch, compiled_kernels_take_small_arrays):
    """Each rung on which one would train."""
    monkeypatch.setenv("TINYRES_KERNELS", request.param)


@pytest.fixture(params=[InACycle, Hoarding])
def leak(request, monkeypatch):
    """An op with a leak."""
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    yield request.param
    Hoarding.hoard.clear()


# ---- over many steps -------------------------------------------------------------------------------------------------


@pytest.fixture
def tracing():
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_a_step_leaves_nothing(rung, tracing):
    """Less than a Node, which takes some 200 bytes. Measured: 0 to 20 bytes a step."""
    assert growth(traced, Training(), steps=60) < 60 * 100


@pytest.mark.parametrize("leak", [Hoarding], indirect=True)
def test_traced_memory_shows_a_leak(leak, tracing):
    array = 4 * 8 * 8 * 8 * 4  # bytes
    assert growth(traced, Training(leak), steps=60) > 60 * array


def resident_growth(leak=""):
    """The growth in a thousand steps, in a fresh process without a garbage collector."""
    code = "import gc; from small_training import InACycle, Training, growth, resident; gc.disable(); "
    code += f"print(growth(resident, Training({leak}), steps=1000))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return int(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)


in_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")


@in_proc
def test_a_thousand_steps_take_no_memory(rung):
    """The process, all libraries in it, grows by less than 1 MB. Measured: 0 to 0.2."""
    assert resident_growth() < 1e6


@in_proc
def test_resident_memory_shows_a_leak(monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    assert resident_growth("InACycle") > 4e6


# ---- after one step --------------------------------------------------------------------------------------------------


class Witness(Observer):
    """Weak references to all that an op makes, by kind; and after each op's backward, how many of the ops live."""

    def __init__(self):
        self.made = {"ops": [], "nodes": [], "outputs": [], "saved": []}
        self.living_ops = []

    def applied(self, op, y):
        saved = [array for array in op.saved if isinstance(array, np.ndarray)]
        for kind, things in (("ops", [op]), ("nodes", [y.node]), ("outputs", [y.data]), ("saved", saved)):
            self.made[kind] += map(weakref.ref, things)

    def swept(self, op, gy, grads):
        self.living_ops.append(self.living("ops"))

    def living(self, kind):
        return sum(ref() is not None for ref in self.made[kind])

    def all_living(self):
        return {kind: self.living(kind) for kind in self.made}


NOTHING = {"ops": 0, "nodes": 0, "outputs": 0, "saved": 0}


def watched_loss(training):
    """The loss, and a witness of what led to it. The parameters and the batch, which ops save too, outlive every op."""
    witness = Witness()
    with tinyres.observe(witness):
        loss = training.loss()
    lasting = {id(array) for array in (training.labels, *(p.data for p in training.net.parameters()))}
    witness.made["saved"] = [ref for ref in witness.made["saved"] if id(ref()) not in lasting]
    return loss, witness


def test_without_backward_everything_dies_with_the_loss(rung):
    loss, witness = watched_loss(Training())
    assert min(witness.all_living().values()) >= 5
    del loss
    assert witness.all_living() == NOTHING


def test_after_backward_only_the_loss_is_left(rung):
    loss, witness = watched_loss(Training())
    loss.backward()
    assert witness.all_living() == {"ops": 0, "nodes": 1, "outputs": 1, "saved": 0}
    del loss
    assert witness.all_living() == NOTHING


def test_ops_die_one_by_one_during_backward(rung):
    loss, witness = watched_loss(Training())
    ops = witness.living("ops")
    with tinyres.observe(witness):
        loss.backward()
    assert witness.living_ops == list(range(ops, 0, -1))


def test_a_witness_sees_what_is_leaked(leak):
    loss, witness = watched_loss(Training(leak))
    loss.backward()
    del loss
    assert witness.living("outputs") > 0


class Saving(Op):
    """y = x, with an array of its own saved; notes in `alive` how many such arrays exist when its backward runs."""

    living: list[weakref.ref] = []  # noqa: RUF012 (shared on purpose)
    alive: list[int] = []  # noqa: RUF012

    def forward(self, x):
        own = x.copy()
        self.saved = (own,)
        self.living.append(weakref.ref(own))
        return x + 0

    def backward(self, gy):
        self.alive.append(sum(ref() is not None for ref in self.living))
        return gy


@pytest.fixture
def saving():
    Saving.living.clear()
    Saving.alive.clear()
    return Saving


def chain(op, length):
    x = Tensor(np.ones(1), requires_grad=True)
    for _ in range(length):
        x = op()(x)
    return x


def test_backward_frees_what_was_saved_as_it_goes(saving):
    y = chain(saving, 4)
    y.backward()
    assert saving.alive == [4, 3, 2, 1]
    assert [ref() for ref in saving.living] == [None] * 4  # though y is still there


def test_retain_graph_keeps_what_was_saved(saving):
    y = chain(saving, 4)
    y.backward(retain_graph=True)
    assert saving.alive == [4, 4, 4, 4]
    del y
    assert [ref() for ref in saving.living] == [None] * 4


@pytest.mark.parametrize(("retain_graph", "seen"), [(False, "Released"), (True, "Looking")])
def test_a_node_lets_go_of_its_op_before_the_backward_of_that_op(retain_graph, seen):
    """What the op saved dies with the op; from here on only the sweep holds that, and only until it goes on."""
    names = []

    class Looking(Identity):
        def backward(self, gy):
            names.append(y.op.name)
            return gy

    y = chain(Looking, 1)
    y.backward(retain_graph=retain_graph)
    assert names == [seen]


def test_peak_memory_of_a_deep_chain(tracing):
    """Each tanh saves its output. Forward holds all 50; backward frees one with every step, and each gradient too."""
    x, array, depth = Tensor(np.ones(25_000), requires_grad=True), 25_000 * 8, 50
    at_the_leaf, before = [], traced()
    x.register_hook(lambda gradient: at_the_leaf.append(traced() - before))
    y = x
    for _ in range(depth):
        y = y.tanh()
    y.sum().backward()
    peak = tracemalloc.get_traced_memory()[1] - before
    assert depth * array < peak < (depth + 8) * array
    assert at_the_leaf[0] < 8 * array


# ---- no cycles -------------------------------------------------------------------------------------------------------


def garbage_of(action):
    """The types of what only the garbage collector could free, once action has run."""
    gc.freeze()  # the collector skips what is there already: all the other tests' objects, which take it seconds
    try:
        action()  # once before: kernels are compiled, and compilers do leave cycles
        gc.collect()
        action()
        gc.set_debug(gc.DEBUG_SAVEALL)  # what is found goes to gc.garbage
        gc.collect()
        return [type(found).__name__ for found in gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()


class Failing(Identity):
    def backward(self, gy):
        raise ZeroDivisionError


def only_forward(training):
    training.loss()


def with_hooks(training):
    loss = training.loss()
    loss.register_hook(lambda gradient: gradient * 2)
    loss.retain_grad()
    removable = training.net.fc.weight.register_hook(lambda gradient: None)
    loss.backward()
    removable.remove()


def with_observers(training):
    with tinyres.observe(Witness()), tinyres.observe(Observer()):
        training.step()


def without_gradients(training):
    with no_grad():
        training.loss()


def fails(error, call):
    """pytest.raises would keep the error, and with it every frame that it came through."""
    try:
        call()
    except error:
        return
    raise AssertionError(f"expected {error.__name__}")


def backward_once_too_often(training):
    loss = training.loss()
    loss.backward(retain_graph=True)
    loss.backward()
    fails(RuntimeError, loss.backward)


def failing_forward(training):
    two_channels = Tensor(training.images[:, :2])
    fails(ValueError, lambda: training.net(two_channels))


def failing_backward(training):
    training.net.op = Failing
    fails(ZeroDivisionError, training.loss().backward)


@pytest.mark.parametrize(
    "action",
    [
        Training.step,
        only_forward,
        with_hooks,
        with_observers,
        without_gradients,
        backward_once_too_often,
        failing_forward,
        failing_backward,
    ],
)
def test_no_cycles(action, rung):
    training = Training()
    assert garbage_of(lambda: action(training)) == []


def test_no_cycles_in_a_network_of_fused_ops(rung):
    training = Training()
    training.net = models.resnet8()
    assert garbage_of(training.step) == []


def test_a_cycle_is_found():
    training = Training(InACycle)
    assert "InACycle" in garbage_of(training.step)
