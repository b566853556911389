"""detect_anomaly: the first NaN or Inf, named with its op, its cause and its line."""

import threading

import numpy as np
import pytest

import tinyres
from tinyres import AnomalyError, Op, Tensor, models, modes, nn, random
from tinyres.nn import functional as F
from tinyres.nn import fused


def leaf(*values, dtype="float32"):
    return Tensor(np.array(values, dtype), requires_grad=True)


def message(call):
    """The lines of detect_anomaly's message for this call: {label: text}, with the first line under ""."""
    with pytest.raises(AnomalyError) as error, tinyres.detect_anomaly():
        call()
    first, *lines = str(error.value).splitlines()
    assert all(line.startswith("  ") for line in lines)
    return {"": first} | {label: text for label, _, text in (line.strip().partition("  ") for line in lines)}


@pytest.mark.parametrize(
    ("call", "cause"),
    [
        (lambda: leaf(1, 100).exp(), "overflow: e^100 is beyond 3.4e+38, the largest float32"),
        (lambda: leaf(1, 1000, dtype="f8").exp(), "overflow: e^1000 is beyond 1.8e+308, the largest float64"),
        (lambda: leaf(1, 0, 2).log(), "the logarithm of 0 is −Inf, of a negative number NaN; 1 of 3 values are 0"),
        (lambda: leaf(4, -1).sqrt(), "the root of a negative number is NaN; 1 of 2 values are negative"),
        (lambda: leaf(1, 2) / Tensor([0.0, 4.0]), "division by 0; 1 of 2 values of input 1 are 0"),
        (lambda: leaf(0, 2) ** -1, "0 to the power of -1 is a division by 0; 1 of 2 values are 0"),
        (lambda: leaf(-8) ** 0.5, "a negative number to the power of 0.5 is NaN; 1 of 1 values are negative"),
        (lambda: leaf(2e38) + leaf(2e38), "overflow: with numbers up to 2e+38, an intermediate value exceeded 3.4e+38"),
        (
            lambda: F.batch_norm(Tensor(np.ones((2, 1))), None, None, eps=0.0),
            "its inputs are finite, so an intermediate value exceeded 1.8e+308, the largest float64, or was div",
        ),
    ],
    ids=["exp", "exp64", "log", "sqrt", "divide", "power", "root", "add", "batch_norm"],
)
def test_where_it_begins_in_forward(call, cause):
    said = message(call)
    assert said[""].startswith("forward of ") and said[""].endswith(": the first NaN or Inf began here")
    assert said["why"].strip().startswith(cause)


@pytest.mark.parametrize(
    ("call", "op", "cause"),
    [
        (lambda: leaf(4, 0).sqrt().sum(), "Sqrt", "the slope of √x at x = 0 is infinite; 1 of 2 values are 0"),
        (lambda: (leaf(4, 0) ** 0.5).sum(), "Power", "the slope of x^0.5 at x = 0 is infinite; 1 of 2 values are 0"),
        (lambda: leaf(1e-30) * 1e30 * 1e30, "Multiply", "overflow: with numbers up to 1e+30, an intermediate value"),
    ],
    ids=["sqrt", "power", "multiply"],
)
def test_where_it_begins_in_backward(call, op, cause):
    said = message(lambda: call().backward())
    assert said[""] == f"backward of {op}: the first NaN or Inf began here"
    assert said["why"].strip().startswith(cause)


def test_statistics_of_what_went_in_and_came_out():
    x = leaf(1, -2, 4)
    said = message(lambda: (x / Tensor([1.0, 0.0, 0.0])).relu())
    assert said[""].startswith("forward of Divide")  # not ReLU, which comes after it
    assert said["input 0"].split("  ") == ["float32 (3,)", "min -2", "max 4", "mean 1"]
    assert said["output"].strip().split("  ") == ["float32 (3,)", "min 1", "max 1", "mean 1", "2 Inf"]
    said = message(lambda: (leaf(0, 4).sqrt() * 3).backward(np.ones(2)))
    assert said["gy"].strip() == "float32 (2,)  min 3  max 3  mean 3"
    assert said["gradient 0"].strip() == "float32 (2,)  min 0.75  max 0.75  mean 0.75  1 Inf"


def test_an_array_without_a_finite_value():
    assert message(lambda: Tensor([-1.0]).sqrt())["output"].strip() == "float32 (1,)  1 NaN"


def test_what_came_in_with_an_input_is_not_blamed_on_the_op():
    said = message(lambda: leaf(1, 2) * Tensor([np.nan, 1.0]))
    assert said[""] == "forward of Multiply: NaN or Inf came in with input 1, which no op here made"
    assert "why" not in said
    layer = nn.Linear(2, 1)
    layer.weight.data[0, 1] = np.inf
    assert "came in with input 1, a Parameter, which no op" in message(lambda: layer(Tensor([[1.0, 2.0]])))[""]


@pytest.mark.parametrize("way", ["seed", "hook"])
def test_what_came_in_with_gy_is_not_blamed_on_the_op(way):
    def call():
        y = leaf(1, 2) * 2
        if way == "hook":
            y.register_hook(lambda gradient: gradient * np.nan)
        y.backward(np.full(2, np.nan if way == "seed" else 1.0))

    said = message(call)
    assert said[""] == "backward of Multiply: NaN or Inf came in with gy, from backward(gradient) or from a hook"
    assert said["gy"].strip() == "float32 (2,)  2 NaN"


@pytest.mark.parametrize("ways", [2, 3])
def test_a_sum_that_overflows_where_ways_meet(ways):
    """Each gradient is finite, but not their sum; with three paths the second addition, in place, overflows."""

    def call():
        y = leaf(1) * 1
        factor = 3e38 if ways == 2 else 1.5e38
        tinyres.cat([y * factor for _ in range(ways)]).backward(np.ones(ways))

    said = message(call)
    assert said[""].endswith("reach the output of Multiply along several paths are finite, but their sum is not")
    assert said["why"].strip() == "overflow: beyond 3.4e+38, the largest float32"
    assert said["sum"].strip() == "float32 (1,)  1 Inf"

    x = leaf(1)
    assert "reach a leaf along" in message(lambda: tinyres.cat([x * 3e38, x * 3e38]).backward(np.ones(2)))[""]


def test_how_many_ops_and_backwards_there_were():
    def call():
        x = leaf(1, 2)
        for _ in range(3):
            (x * 2).sum().backward()
        (x * 0).sqrt().sum().backward()

    assert message(call)["when"].strip() == "backward 4 since detect_anomaly began"
    assert message(lambda: (leaf(1) * 1 * 0).log())["when"].strip() == "op 3 since detect_anomaly began"


def test_the_training_step_where_the_loop_has_said_it():
    random.set_step(2, 16)
    assert message(lambda: leaf(0).log())["when"].strip().endswith("; epoch 3, step 17 of it")


def test_a_graph_from_before():
    y = leaf(0).sqrt()
    said = message(lambda: y.backward())
    assert said["line"].strip() == "unknown: this op was applied before detect_anomaly began"


def test_without_recording_too():
    def call():
        with tinyres.no_grad():
            leaf(0).log()

    assert message(call)[""].startswith("forward of Log")


def test_fused_or_not_the_op_that_ran_is_named():
    norm = nn.BatchNorm2d(1)
    norm.weight.data[:] = 3e38
    x = Tensor(np.random.default_rng(0).standard_normal((9, 1, 9, 9)).astype("f4"))

    def call():
        fused.batch_norm_relu(x, norm.next_batch(x))

    assert message(call)[""].startswith("forward of BatchNormReLU:")
    with tinyres.unfused():
        assert message(call)[""].startswith("forward of BatchNorm:")


def test_numpy_stays_silent_inside_and_speaks_again_afterwards():
    with pytest.raises(AnomalyError), tinyres.detect_anomaly():
        leaf(1000).exp()
    with pytest.warns(RuntimeWarning, match="overflow"):
        leaf(1000).exp()


def step(model):
    """Every result of a training step, as bytes."""
    model.zero_grad()
    loss = F.cross_entropy(
        model(Tensor(np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype("f4"))), [1, 2, 3, 4]
    )
    loss.backward()
    arrays = [loss.data, *(p.grad for p in model.parameters()), *model.state_dict().values()]
    return [array.tobytes() for array in arrays]


@pytest.mark.parametrize("fused", [True, False])
def test_results_are_the_same_to_the_last_bit(fused):
    def results(watched):
        tinyres.manual_seed(0)
        model = models.resnet8()
        if not watched:
            return step(model)
        with tinyres.detect_anomaly():
            return step(model)

    if fused:
        assert results(watched=True) == results(watched=False)
    else:
        with tinyres.unfused():
            assert results(watched=True) == results(watched=False)


def test_nothing_watches_outside_the_block():
    assert modes.mode.observers == ()
    with tinyres.detect_anomaly():
        outer = modes.mode.observers
        with tinyres.detect_anomaly():
            assert len(modes.mode.observers) == 2 * len(outer) > 0
        assert modes.mode.observers == outer
    assert modes.mode.observers == ()
    with pytest.raises(KeyError), tinyres.detect_anomaly():
        raise KeyError
    assert modes.mode.observers == ()


def test_nested_it_still_finds_it_once():
    with tinyres.detect_anomaly():
        assert message(lambda: leaf(0).sqrt().backward())[""].startswith("backward of Sqrt")
        assert (leaf(1) * 2).item() == 2


def test_it_concerns_its_own_thread():
    seen = []

    def elsewhere():
        with np.errstate(divide="ignore"):
            seen.append(leaf(0).log().item())

    with tinyres.detect_anomaly():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert seen == [-np.inf]


class Doubled(Op):
    """A user's op, with a mistake in backward."""

    def forward(self, x):
        return x * 2

    def backward(self, gy):
        return gy / np.zeros_like(gy)


def test_inf_that_forward_kept_to_itself():
    """The variance exceeds float32 and all outputs are 0: nothing is wrong before backward."""

    def call():
        x = Tensor(np.array([[1e25], [-2e25], [3e25]], "f4"), requires_grad=True)
        F.batch_norm(x, None, None).backward(np.array([[1e20], [0], [-1e20]]))

    said = message(call)
    assert said[""] == "backward of BatchNorm: the first NaN or Inf began here"
    assert said["why"].strip().startswith("forward left NaN or Inf in batch_var, but not")


class Nothing(Op):
    def forward(self, *labels):
        return np.array([np.nan])


@pytest.mark.parametrize("inputs", [(), (Tensor([1, 2]),)], ids=["none", "integers"])
def test_an_op_without_numbers_to_blame(inputs):
    said = message(lambda: Nothing()(*inputs))
    assert said["why"].strip().startswith("its inputs are finite, so an intermediate value exceeded 1.8e+308")


def test_an_op_of_ones_own():
    assert message(lambda: Doubled()(leaf(1)).backward())[""].startswith("backward of Doubled: the first")
