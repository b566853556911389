"""How an op is tested. A test file names the calls; what must hold for every call is here.

    def relu(lib, x):                                   lib is tinyres or torch: the same line runs on both
        return lib.nn.functional.relu(x)

    class TestReLU(OpTests):
        CASES = (Case(relu, (2, 3)), Case(relu, (4, 1, 5)))
        ERRORS = ((lambda: F.relu(integers(3)), TypeError, "relu: expected x in floating point, got int64"),)

Every case is held against values stored in ops/expected.json (written with torch, see make_expected.py), against torch
itself where it is installed, and against the slope of its own forward (gradcheck).
"""

from __future__ import annotations

import itertools
import json
import re
import weakref
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest

import tinyres
from tinyres import Tensor

EXPECTED = Path(__file__).parent / "ops" / "expected.json"
SHAPES = ((), (1,), (7,), (2, 3), (5, 1), (1, 4), (2, 1, 3), (2, 3, 1, 5))  # for ops that take any shape
BROADCASTS = (
    ((), ()),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((2, 1), (1, 4)),
    ((2, 3), ()),
    ((1,), (2, 3)),
    ((4, 1, 3), (5, 1)),
    ((2, 3, 2, 2), (3, 1, 1)),
    ((1, 1, 1, 1), (2, 3, 1, 2)),
)  # two operands that broadcast
MORE_BROADCASTS = tuple(itertools.product(((6, 1, 5), (1, 7, 5), (5,)), ((6, 7, 5), (7, 1), (1, 1, 1))))
REDUCTIONS = (  # for ops that reduce some axes of (2, 3, 2)
    {},
    {"dim": 1},
    {"dim": -1, "keepdim": True},
    {"dim": (0, -1)},
    {"dim": (2, 0), "keepdim": True},
    {"dim": (0, 1, 2)},
)


def noted_calls(monkeypatch: pytest.MonkeyPatch, module: Any, names: Sequence[str]) -> list[str]:
    """A list that fills with the names of these functions of the module as they are called."""
    called: list[str] = []

    def noted(name: str, function: Callable) -> Callable:
        def call(*arguments: Any) -> Any:
            called.append(name)
            return function(*arguments)

        return call

    for name in names:
        monkeypatch.setattr(module, name, noted(name, getattr(module, name)))
    return called


def normal(draws: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return draws.standard_normal(shape)


def positive(draws: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return draws.uniform(0.5, 3.0, shape)


class Case:
    """One call, fn(lib, *tensors, **settings). `str(case)` names it, seeds its numbers and finds its stored values.

    inputs: for each tensor its shape, a tuple, to be filled by `draw`; or its integers, a list.
    """

    def __init__(self, fn: Callable, *inputs: tuple[int, ...] | list, draw: Callable = normal, **settings: Any):
        self.fn, self.inputs, self.draw, self.settings = fn, inputs, draw, settings

    def __str__(self) -> str:
        name = self.fn.__name__.strip("_")
        return " ".join([name, *map(str, self.inputs), *(f"{k}={v}" for k, v in self.settings.items())])

    def arrays(self) -> list[np.ndarray]:
        """The inputs' values in float64, from RandomState: its stream is frozen, so stored values last."""
        draws = np.random.RandomState(crc32(str(self).encode()))
        return [np.array(i) if isinstance(i, list) else np.asarray(self.draw(draws, i)) for i in self.inputs]

    def tensors(self) -> list[Tensor]:
        return [Tensor(a, requires_grad=a.dtype.kind == "f") for a in self.arrays()]

    def __call__(self, *tensors: Tensor) -> Tensor:
        return self.fn(tinyres, *tensors, **self.settings)

    def gy(self, shape: Sequence[int]) -> np.ndarray:
        """The gradient that arrives from above: random, since ones would hide errors that sum to nothing."""
        return np.asarray(np.random.RandomState(crc32(f"gy {self}".encode())).standard_normal(tuple(shape)))


def results(case: Case, tensors: Sequence[Tensor], gy: np.ndarray | None = None) -> list[np.ndarray]:
    """y, and the gradient of every input that requires one."""
    y = case(*tensors)
    y.backward(case.gy(y.shape) if gy is None else gy)
    return [y.numpy(), *(x.grad for x in tensors if x.requires_grad)]


def torch_results(case: Case) -> list[np.ndarray]:
    import torch

    leaves = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in case.arrays()]
    y = case.fn(torch, *leaves, **case.settings)
    y.backward(torch.tensor(case.gy(y.shape)))
    return [y.detach().numpy(), *(x.grad.numpy() for x in leaves if x.requires_grad)]


@cache
def expected() -> dict[str, list[np.ndarray]]:
    """{case: [y, gradient of the first input, …]}"""
    stored = json.loads(EXPECTED.read_text())
    return {name: [np.reshape(values, shape) for shape, values in arrays] for name, arrays in stored.items()}


def assert_equal(actual: Sequence[np.ndarray], wanted: Sequence[np.ndarray], tolerance: float = 1e-10) -> None:
    """All of y, gradient of the first input, … as wanted, in shape and value."""
    assert [a.shape for a in actual] == [b.shape for b in wanted]
    for k, (a, b) in enumerate(zip(actual, wanted, strict=True)):
        what = f"gradient of input {k - 1}" if k else "y"
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


# ---- layouts: the same values lying differently in memory ------------------------------------------------------------


def reversed_strides(a: np.ndarray) -> np.ndarray:
    back = (slice(None, None, -1),) * a.ndim
    return a[back].copy()[back]


def channels_last(a: np.ndarray) -> np.ndarray:
    """Axis 1 lies innermost: a transposed view for a matrix, NHWC bytes for images."""
    return np.moveaxis(np.moveaxis(a, 1, -1).copy(), -1, 1) if a.ndim > 1 else a


def every_second(a: np.ndarray) -> np.ndarray:
    twice = np.full([2 * n + 1 for n in a.shape], np.nan, a.dtype)
    twice[(slice(1, None, 2),) * a.ndim] = a
    return twice[(slice(1, None, 2),) * a.ndim]


def zero_strides(a: np.ndarray) -> np.ndarray:
    """One element, repeated along the first axis."""
    return np.broadcast_to(a[:1], a.shape) if a.ndim else a


LAYOUTS = (reversed_strides, channels_last, every_second, zero_strides)


# ---- what must hold for every op -------------------------------------------------------------------------------------


class OpTests:
    """Inherit, and fill in the tables.

    CASES: small; their values are stored.
    MORE: compared with torch only, so there may be hundreds.
    ERRORS: (call, error, how its message begins).
    """

    CASES: tuple[Case, ...] = ()
    MORE: tuple[Case, ...] = ()
    ERRORS: tuple[tuple[Callable[[], Any], type[Exception], str], ...] = ()

    @classmethod
    def pytest_generate_tests(cls, metafunc: pytest.Metafunc) -> None:
        if "case" in metafunc.fixturenames:
            metafunc.parametrize("case", cls.CASES, ids=str)
        if "error" in metafunc.fixturenames:
            metafunc.parametrize("error", cls.ERRORS, ids=[message for _, _, message in cls.ERRORS])

    def test_stored_values(self, case):
        assert_equal(results(case, case.tensors()), expected()[str(case)])

    def test_torch(self):
        pytest.importorskip("torch", reason="torch is not installed: the stored values stand in for it")
        for case in (*self.CASES, *self.MORE):
            try:
                assert_equal(results(case, case.tensors()), torch_results(case))
            except AssertionError as error:
                raise AssertionError(f"{case}: {error}") from error

    def test_gradcheck(self, case):
        tinyres.gradcheck(case, case.tensors())

    def test_neither_inputs_nor_gy_are_written(self, case):
        inputs = case.tensors()
        gy = case.gy(case(*inputs).shape)
        arrays = [gy, *(x.data for x in inputs)]
        before = [a.copy() for a in arrays]
        for a in arrays:
            a.flags.writeable = False  # a write raises
        results(case, inputs, gy)
        assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))

    def test_backward_leaves_what_was_saved_alone(self, case):
        inputs = case.tensors()
        y = case(*inputs)
        gradients = []
        for _ in range(2):
            y.backward(case.gy(y.shape), retain_graph=True)
            gradients.append([x.grad for x in inputs if x.requires_grad])
            for x in inputs:
                x.grad = None
        first, second = gradients
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))

    def test_any_layout(self, case):
        shape = case(*case.tensors()).shape
        for layout in LAYOUTS:
            laid = [layout(a) if a.dtype.kind == "f" else a for a in (case.gy(shape), *case.arrays())]
            gy, *inputs = laid
            plain_gy, *plain_inputs = (a.copy("C") for a in laid)
            wanted = results(case, as_leaves(plain_inputs), plain_gy)
            assert_equal(results(case, as_leaves(inputs), gy), wanted)

    def test_float32_stays_float32(self, case):
        single = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in case.arrays()]
        double = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in single]
        actual = results(case, as_leaves(single))
        assert {a.dtype for a in actual} == {np.dtype(np.float32)}
        assert_equal(actual, results(case, as_leaves(double)), tolerance=1e-4)

    def test_only_wanted_gradients(self, case):
        wanted = [x.grad for x in backpropagated(case, case.tensors())]
        for needs in itertools.product((False, True), repeat=len(wanted)):
            inputs = [Tensor(x.data, x.requires_grad and need) for x, need in zip(case.tensors(), needs, strict=True)]
            if not any(x.requires_grad for x in inputs):
                continue
            for x, gx in zip(backpropagated(case, inputs), wanted, strict=True):
                assert (x.grad is not None) == x.requires_grad
                assert x.grad is None or np.array_equal(x.grad, gx)

    def test_nothing_is_kept_where_no_gradient_is_wanted(self, case):
        constants = [x.detach() for x in case.tensors()]
        ops = Applied()
        with tinyres.observe(ops):
            with tinyres.no_grad():
                unrecorded = case(*case.tensors())
            without_gradient = case(*constants)
        assert len(ops.seen) >= 2
        assert [ref() for ref in ops.seen] == [None] * len(ops.seen)  # dead, and what they saved with them
        assert unrecorded.op is without_gradient.op is None
        assert not unrecorded.requires_grad and not without_gradient.requires_grad

    def test_errors(self, error):
        call, kind, message = error
        with pytest.raises(kind, match=re.escape(message)):
            call()


class Applied(tinyres.Observer):
    """Notes which ops ran, without keeping them alive."""

    def __init__(self) -> None:
        self.seen: list[weakref.ref] = []

    def applied(self, op, y):
        self.seen.append(weakref.ref(op))


def as_leaves(arrays: Sequence[np.ndarray]) -> list[Tensor]:
    return [Tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]


def backpropagated(case: Case, inputs: list[Tensor]) -> list[Tensor]:
    """The inputs, their gradients filled in."""
    results(case, inputs)
    return inputs


# ---- short names for the tables of errors ----------------------------------------------------------------------------


def floats(*shape: int, dtype: str = "float32") -> Tensor:
    return Tensor(np.ones(shape, dtype))


def integers(*shape: int) -> Tensor:
    return Tensor(np.ones(shape, np.int64))
