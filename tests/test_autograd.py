"""tinyres/autograd.py: the engine's rules, each as a test."""

import threading

import numpy as np
import pytest

import tinyres
import tinyres_kernels.reference
from tinyres import Observer, Op, Tensor, no_grad
from tinyres.nn import functional as F


def leaf(*values):
    return Tensor(np.array(values), requires_grad=True)


def grad_of(fn, *values):
    """d fn / d x at x = values, fn summed."""
    x = leaf(*values)
    fn(x).sum().backward()
    return x.grad.tolist()


# ---- what a Tensor is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (2.5, "float32"),
        ([1.0, 2.0], "float32"),
        ([1, 2], "int64"),
        (True, "bool"),
        (np.float64(2.5), "float64"),
        (np.ones(2), "float64"),
        (np.ones(2, "float16"), "float16"),
        (np.ones(2, "uint8"), "uint8"),
        (Tensor(np.ones(2)), "float64"),
    ],
)
def test_dtypes(data, dtype):
    assert Tensor(data).dtype == dtype


def test_what_is_not_a_number_is_refused():
    with pytest.raises(TypeError, match="expected numbers, got str"):
        Tensor("1.0")


def test_an_array_is_taken_as_it_is():
    array = np.ones(3)
    assert Tensor(array).data is Tensor(array).numpy() is array


def test_sizes():
    x = Tensor(np.zeros((2, 3, 4)))
    assert (x.shape, x.size(), x.size(-1), x.ndim, x.dim(), x.numel(), len(x)) == ((2, 3, 4), (2, 3, 4), 4, 3, 3, 24, 2)


def test_one_number():
    x = Tensor([[2.5]])
    assert (x.item(), float(x)) == (2.5, 2.5)
    assert isinstance(x.item(), float)
    assert isinstance(Tensor(3).item(), int)


def test_item_of_several():
    with pytest.raises(ValueError, match=r"item: expected a tensor with one element, got shape \(2,\)"):
        Tensor([1.0, 2.0]).item()


def test_len_of_a_number():
    with pytest.raises(TypeError, match="without axes"):
        len(Tensor(1.0))


def test_repr_tells_values_dtype_and_origin():
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert repr(x.detach()) == "Tensor([1., 2.], float32)"
    assert repr(x) == "Tensor([1., 2.], float32, requires_grad=True)"
    assert repr(x + 1) == "Tensor([2., 3.], float32, op=Add)"
    assert len(repr(Tensor(np.zeros((1000, 1000))))) < 500


def test_integers_refuse_gradients():
    with pytest.raises(TypeError, match="only floating-point tensors have gradients, got int64"):
        Tensor([1, 2], requires_grad=True)


def test_a_number_on_either_side():
    x = Tensor([2.0, 4.0])
    results = 1 + x, x + 1, 1 - x, x - 1, 3 * x, x * 3, 8 / x, x / 8
    expected = [3, 5], [3, 5], [-1, -3], [1, 3], [6, 12], [6, 12], [4, 2], [0.25, 0.5]
    assert [y.data.tolist() for y in results] == list(expected)
    assert {y.dtype for y in results} == {np.dtype("float32")}


@pytest.mark.parametrize("operator", ["__add__", "__sub__", "__mul__", "__truediv__"])
def test_an_array_on_the_left_leaves_the_work_to_the_tensor(operator):
    a, x = np.array([6.0, 8.0]), leaf(2.0, 4.0)
    y = {"__add__": lambda: a + x, "__sub__": lambda: a - x, "__mul__": lambda: a * x, "__truediv__": lambda: a / x}
    result = y[operator]()
    assert isinstance(result, Tensor) and result.requires_grad
    np.testing.assert_array_equal(result.data, getattr(a, operator)(x.data))


def test_augmented_assignment_makes_a_new_tensor():
    x = leaf(1.0)
    y = before = x * 2
    y += 1
    y *= 5
    assert (before.item(), y.item()) == (2, 15)
    y.backward()
    assert x.grad.tolist() == [10]


# ---- the sweep -------------------------------------------------------------------------------------------------------


def test_an_input_used_twice():
    assert grad_of(lambda x: x * x, 3.0, 5.0) == [6, 10]
    assert grad_of(lambda x: x + x, 3.0) == [2]
    assert grad_of(lambda x: x - x, 3.0) == [0]


def test_fan_out_adds_up():
    assert grad_of(lambda x: tinyres.cat([x * k for k in range(1, 6)]), 1.0) == [15]


def test_a_diamond_is_swept_once_every_branch_is_in():
    """y = x·2 reaches the loss along a short way and a long one; its backward must wait for both."""

    def fn(x):
        y = x * 2
        long = y
        for _ in range(5):
            long = long + y
        return y + long * 10

    assert grad_of(fn, 1.0) == [122]


def test_an_addition_shares_gy_between_branches():
    """Both branches of each + are handed the same array; a sum made in place there would reach the other branch."""
    a, b = leaf(1.0), leaf(1.0)
    y = a + b
    z = (y + a) + (y + b)
    (z + z).backward()
    assert (a.grad.tolist(), b.grad.tolist()) == ([6], [6])


def test_the_kernels_add_what_reaches_a_node_along_two_ways(monkeypatch):
    """Once: what comes along a third way is added in place, to the sum that is nobody else's."""
    met = []

    def add(a, b):
        met.append({a.item(), b.item()})
        return a + b

    monkeypatch.setattr(tinyres_kernels.reference, "add", add)
    monkeypatch.setenv("TINYRES_KERNELS", "reference")
    x = leaf(1.0)
    (x * 2 * (x * 3) * (x * 5)).backward()  # 30·x³
    assert len(met) == 1 and x.grad.tolist() == [90]


def test_gradients_are_never_aliases():
    a, b = leaf(1.0, 2.0), leaf(1.0, 2.0)
    gy = np.ones(2)
    (a + b).backward(gy)
    assert not np.shares_memory(a.grad, b.grad)
    assert not np.shares_memory(a.grad, gy)


def test_leaves_accumulate_over_several_backwards():
    x = leaf(1.0, 2.0)
    for _ in range(3):
        (x * x).sum().backward()
    assert x.grad.tolist() == [6, 12]
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_an_old_gradient_array_is_left_alone():
    x = leaf(1.0)
    (x * 2).backward()
    first = x.grad
    (x * 2).backward()
    assert (first.tolist(), x.grad.tolist()) == ([2], [4])


def test_backward_on_a_leaf():
    x = leaf(1.0)
    x.backward()
    assert x.grad.tolist() == [1]


def test_inner_gradients_only_on_request():
    x = leaf(1.0)
    y = x * 2
    z = y * 3
    z.retain_grad()
    (z * 5).backward()
    assert y.grad is None
    assert z.grad.tolist() == [5]
    assert x.is_leaf and not z.is_leaf


def test_only_what_needs_a_gradient_gets_one():
    x, frozen = leaf(2.0), Tensor(np.array([3.0]))
    y = x * frozen
    y.backward()
    assert x.grad.tolist() == [3]
    assert frozen.grad is None
    assert not (frozen * frozen).requires_grad


def test_a_frozen_branch_is_not_swept():
    swept = Recorder()
    frozen = Tensor(np.array([3.0])).exp()
    with tinyres.observe(swept):
        (leaf(2.0) * frozen.exp()).backward()
    assert swept.events == ["applied Exp", "applied Multiply", "swept Multiply"]


def test_a_chain_of_100_000_ops(no_gc):
    """A recursive sweep, or a recursive deletion, would end the interpreter."""
    for run_backward in (True, False):
        x = leaf(1.0)
        y = x
        for _ in range(100_000):
            y = y + 1
        if run_backward:
            y.backward()
            assert x.grad.tolist() == [1]
        del y


def test_gradient_argument():
    x = leaf(1.0, 2.0)
    (x * x).backward([10, 100])
    (x * x).backward(Tensor([1.0, 1.0]))
    assert x.grad.tolist() == [22, 404]


def test_backward_needs_a_gradient_unless_the_result_is_one_number():
    with pytest.raises(
        RuntimeError, match=r"backward: self has shape \(2,\); pass gradient=..., an array of that shape"
    ):
        (leaf(1.0, 2.0) * 2).backward()


def test_a_gradient_of_another_shape():
    with pytest.raises(ValueError, match=r"backward: expected a gradient of shape \(2,\), got \(2, 1\)"):
        (leaf(1.0, 2.0) * 2).backward(np.ones((2, 1)))


def test_nothing_to_differentiate():
    with pytest.raises(RuntimeError, match="nothing here requires a gradient"):
        (Tensor([1.0]) * 2).backward()


# ---- release: what becomes of the memory, see test_memory.py ---------------------------------------------------------


def test_a_second_backward_is_refused_unless_the_graph_was_retained():
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12]
    with pytest.raises(RuntimeError, match="pass retain_graph=True the first time"):
        y.backward()


def test_a_second_backward_through_a_shared_part_is_refused():
    x = leaf(3.0)
    shared = x * x
    (shared * 2).backward()
    with pytest.raises(RuntimeError, match="backward ran through here before"):
        (shared * 3).backward()


# ---- no_grad, detach -------------------------------------------------------------------------------------------------


def test_no_grad_records_nothing_and_ends_with_its_block():
    x = leaf(1.0)
    with no_grad():
        assert not (x * 2).requires_grad
        with no_grad():
            pass
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert (x * 2).requires_grad


def test_nothing_is_recorded_where_no_input_needs_a_gradient():
    y = Tensor([1.0]) * 2
    assert y.op is None and not y.requires_grad


def test_detach_cuts_the_graph_and_keeps_the_array():
    x = leaf(3.0)
    y = (x * x).detach()
    assert y.is_leaf and not y.requires_grad
    assert (x * y).op is not None
    (x * y).backward()
    assert x.grad.tolist() == [9]
    assert x.detach().data is x.data


def test_no_grad_in_one_thread_leaves_the_others_alone():
    x, inside, checked, seen = leaf(1.0), threading.Event(), threading.Event(), []

    def evaluate():
        with no_grad():
            inside.set()
            assert checked.wait(10)
            seen.append((x * 2).requires_grad)

    thread = threading.Thread(target=evaluate)
    thread.start()
    assert inside.wait(10)
    seen.append((x * 2).requires_grad)
    checked.set()
    thread.join()
    assert seen == [True, False]


# ---- hooks and observers ---------------------------------------------------------------------------------------------


def test_a_hook_sees_the_complete_gradient_and_may_replace_it():
    x, seen = leaf(1.0, 2.0), []
    y = x * 2
    y.register_hook(lambda gradient: seen.append(gradient.tolist()))
    y.register_hook(lambda gradient: gradient * 100)
    (y + y * 3).sum().backward()
    assert seen == [[4, 4]]
    assert x.grad.tolist() == [800, 800]


def test_a_hook_on_a_leaf():
    x = leaf(1.0)
    x.register_hook(lambda gradient: gradient + 1)
    (x * 2).backward()
    assert x.grad.tolist() == [3]


def test_a_removed_hook_is_silent():
    x = leaf(1.0)

    def tenfold(gradient):
        return gradient * 10

    first = x.register_hook(tenfold)
    x.register_hook(tenfold)
    first.remove()
    first.remove()  # twice is harmless
    (x * 2).backward()
    assert x.grad.tolist() == [20]  # registered twice, removed once


@pytest.mark.parametrize("wrong", [lambda g: g[:1], lambda g: g.astype(np.float32)], ids=["shape", "dtype"])
def test_a_hook_that_returns_something_else_is_refused(wrong):
    x = leaf(1.0, 2.0)
    y = x * 2
    y.register_hook(wrong)
    with pytest.raises(ValueError, match=r"a hook returned"):
        y.sum().backward()


class Recorder(Observer):
    """Notes what has been done; Everything, what is about to be done too."""

    def __init__(self):
        self.events = []

    def applied(self, op, y):
        self.events.append(f"applied {op.name}")

    def swept(self, op, gy, grads):
        self.events.append(f"swept {op.name}")


def test_observers_see_every_op_forwards_and_backwards():
    outer, inner = Recorder(), Recorder()
    x = leaf(1.0)
    with tinyres.observe(outer):
        with tinyres.observe(inner):
            y = x.exp() * 2
        y.backward()
    (x * 2).backward()
    assert inner.events == ["applied Exp", "applied Multiply"]
    assert outer.events == [*inner.events, "swept Multiply", "swept Exp"]


def test_observers_are_given_the_op_its_gy_and_its_gradients():
    seen = []

    class Keep(Observer):
        def swept(self, op, gy, grads):
            seen.append((op.name, gy.tolist(), [None if g is None else g.tolist() for g in grads]))

    x = leaf(3.0)
    with tinyres.observe(Keep()):
        (x * Tensor(np.array([5.0]))).backward()
        F.mse_loss(x, Tensor(np.array([5.0])), reduction="none").backward()  # its backward returns both gradients
    assert seen == [("Multiply", [1], [[5], None]), ("MSELoss", [1], [[-4], None])]


class Everything(Recorder):
    def applying(self, op, inputs):
        self.events.append(f"applying {op.name} to {[x.data.tolist() for x in inputs]}")

    def sweeping(self, op, gy):
        self.events.append(f"sweeping {op.name} with {gy.tolist()}")

    def added(self, node, gx, total):
        self.events.append(f"added {gx.tolist()}, {total.tolist()} so far")


def test_observers_are_told_before_and_after_and_where_ways_meet():
    watch, x = Everything(), leaf(2.0)
    with tinyres.observe(watch):
        y = x.exp()
        y.register_hook(lambda gradient: gradient * 10)
        tinyres.cat([y, y, y]).backward(np.array([1.0, 2.0, 4.0]))
    assert watch.events == [
        "applying Exp to [[2.0]]",
        "applied Exp",
        f"applying Cat to {[y.data.tolist()] * 3}",
        "applied Cat",
        "sweeping Cat with [1.0, 2.0, 4.0]",
        "swept Cat",
        "added [2.0], [3.0] so far",
        "added [4.0], [7.0] so far",
        "sweeping Exp with [70.0]",  # the hooks have seen it
        "swept Exp",
    ]


def test_observers_learn_which_tensor_is_which():
    """Enough to draw the graph, and to put every gradient beside its tensor."""
    made, gradients, sums = {}, [], []

    class Draw(Observer):
        def applied(self, op, y):
            made[y.node] = op

        def swept(self, op, gy, grads):
            gradients.extend((x.node, gx.item()) for x, gx in zip(op.inputs, grads, strict=True))

        def added(self, node, gx, total):
            sums.append((node, total.item()))

    x = leaf(3.0)
    with tinyres.observe(Draw()):
        y = x.exp()
        z = y * y
        (z + x).backward()
    assert [op.name for op in made.values()] == ["Exp", "Multiply", "Add"]
    assert [made.get(node) for node, _ in gradients[:2]] == [made[z.node], None]
    assert sums == [(y.node, 2 * y.item()), (x.node, x.grad.item())]
    assert {node for node, _ in gradients} == {x.node, y.node, z.node}


def test_nobody_is_told_when_nobody_watches(monkeypatch):
    for name in ("applying", "applied", "sweeping", "swept", "added"):
        monkeypatch.setattr(Observer, name, None)  # a call would be an error
    assert tinyres.modes.mode.observers == ()
    x = leaf(1.0)
    (x * x).backward()
    assert x.grad.tolist() == [2]


def test_observers_of_one_thread_are_not_told_of_another():
    recorder = Recorder()
    with tinyres.observe(recorder):
        thread = threading.Thread(target=lambda: (leaf(1.0) * 2).backward())
        thread.start()
        thread.join()
    assert recorder.events == []


# ---- writing an op ---------------------------------------------------------------------------------------------------


class Scale(Op):
    """y = k·x, written by a user."""

    def __init__(self, k):
        self.k = k

    def forward(self, x):
        return self.k * x

    def backward(self, gy):
        return self.k * gy


def test_an_op_of_ones_own():
    x = leaf(1.0, 2.0)
    y = Scale(3)(x)
    assert (y.data.tolist(), y.op.name, y.op.needs) == ([3, 6], "Scale", (True,))
    assert tinyres.gradcheck(lambda x: Scale(3)(x), [x]) < 1e-8


def test_an_instance_serves_one_call():
    op = Scale(3)
    op(leaf(1.0))
    with pytest.raises(RuntimeError, match="Scale: this instance was applied before; make a new one for each call"):
        op(leaf(1.0))


def test_ops_take_tensors():
    with pytest.raises(TypeError, match=r"Scale: expected Tensors, got ndarray; wrap it: Tensor\(...\)"):
        Scale(3)(np.ones(2))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda gy: (gy[:1], gy), r"Wrong.backward returned float64 \(1,\) for input 0, which is float64 \(2,\)"),
        (
            lambda gy: (gy, gy.astype("f4")),
            r"Wrong.backward returned float32 \(2,\) for input 1, which is float64 \(2,\)",
        ),
        (lambda gy: (gy, None), r"Wrong.backward returned None for input 1, which is float64 \(2,\)"),
        (lambda gy: gy, "Wrong.backward returned 1 gradients for 2 inputs"),
        (lambda gy: (gy, gy, gy), "Wrong.backward returned 3 gradients for 2 inputs"),
    ],
    ids=["shape", "dtype", "None", "too few", "too many"],
)
def test_a_wrong_backward_is_named(returned, message):
    class Wrong(Op):
        def forward(self, a, b):
            return a + b

        def backward(self, gy):
            return returned(gy)

    with pytest.raises(ValueError, match=message):
        Wrong()(leaf(1.0, 2.0), leaf(1.0, 2.0)).backward([1, 1])


def test_what_nobody_needs_may_be_anything():
    class Half(Op):
        def forward(self, a, b):
            return a + b

        def backward(self, gy):
            return gy, "nobody looks"

    x = leaf(1.0)
    Half()(x, Tensor(np.array([2.0]))).backward()
    assert x.grad.tolist() == [1]
