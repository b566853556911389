"""kernels/tinyres_kernels/cpu/elements.py: which arrays the kernels take that treat every number alike."""

import numpy as np
import pytest
from support import noted_calls

import tinyres_kernels.array as array
import tinyres_kernels.cpu as cpu
from tinyres_kernels.cpu import elements, memory

SHAPE = (16, 17, 23, 21)  # 131,376 numbers: a little more than the smallest float32 array that is taken


def nchw(shape=SHAPE, dtype=np.float32):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def nhwc(shape=SHAPE, dtype=np.float32):
    N, C, H, W = shape
    return nchw((N, H, W, C), dtype).transpose(0, 3, 1, 2)


CALLS = {
    "add": lambda rung, x: rung.add(x, x),
    "relu": lambda rung, x: rung.relu(x),
    "relu_grad_x": lambda rung, x: rung.relu_grad_x(x, x),
}
every_kernel = pytest.mark.parametrize("name", CALLS)

TAKEN = {
    "in order": nchw(),
    "NHWC": nhwc(),
    "float64": nhwc(dtype=np.float64),
    "one channel": nhwc((16, 1, 91, 97)),
    "one axis": nchw((131_072,)),
    "two axes": nchw((400, 400)),
    "some of the images": nhwc((17, *SHAPE[1:]))[1:],
}
NOT_TAKEN = {
    "too small": nchw((131_071,)),
    "empty": nchw((0, *SHAPE[1:])),
    "float16": nhwc((64, *SHAPE[1:]), np.float16),
    "integers": np.arange(400_000),
    "the other byte order": nchw().astype(np.dtype(np.float32).newbyteorder()),
    "columns first": nchw((400, 400)).T,
    "gaps between the pixels": nhwc()[:, :, :, ::2].repeat(2, 0)[:, :, :, ::2],
    "some of the channels": nhwc((16, 18, *SHAPE[2:]))[:, :17],
    "backwards": nchw()[:, :, :, ::-1],
    "one image for all": np.broadcast_to(nchw()[:1], SHAPE),
}


@pytest.fixture
def rung_below(monkeypatch):
    """The names of the array kernels that are called."""
    return noted_calls(monkeypatch, array, tuple(CALLS))


@every_kernel
@pytest.mark.parametrize("x", TAKEN.values(), ids=TAKEN)
def test_what_is_taken_comes_out_in_its_order_from_the_kernels_own_memory(name, x, rung_below, monkeypatch):
    made = []

    def empty(shape, dtype):
        made.append(np.empty(shape, dtype))
        return made[-1]

    monkeypatch.setattr(memory, "empty", empty)
    y = CALLS[name](cpu, x)
    assert rung_below == []
    assert len(made) == 1 and np.shares_memory(y, made[0])
    assert y.dtype == x.dtype and y.strides == np.empty_like(x).strides
    np.testing.assert_array_equal(y, CALLS[name](array, x))


@every_kernel
@pytest.mark.parametrize("x", NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_anything_else_goes_to_the_rung_below(name, x, rung_below):
    y = CALLS[name](cpu, x)
    assert rung_below == [name]
    np.testing.assert_array_equal(y, CALLS[name](array, x))


PAIRS = {
    "two orders": (nchw(), nhwc()),
    "two orders of the same lengths": (nchw((32, 17, 17, 17)), nhwc((32, 17, 17, 17))),
    "two types": (nchw(), nchw(dtype=np.float64)),
    "two shapes": (nchw(), nchw()[:1]),
    "a number": (nchw(), np.float32(2)[...]),
}


@pytest.mark.parametrize(("a", "b"), PAIRS.values(), ids=PAIRS)
def test_what_is_not_alike_goes_to_the_rung_below(a, b, rung_below):
    for one, other in ((a, b), (b, a)):
        np.testing.assert_array_equal(cpu.add(one, other), one + other)
    assert rung_below == ["add", "add"]


def test_a_gradient_in_another_order_than_y_goes_to_the_rung_below(rung_below):
    gy, y = PAIRS["two orders of the same lengths"]
    np.testing.assert_array_equal(cpu.relu_grad_x(gy, y), gy * (y > 0))
    assert rung_below == ["relu_grad_x"]


def test_nothing_is_written_to_what_goes_in():
    a, b = nhwc(), nhwc() + 1
    a.flags.writeable = b.flags.writeable = False
    for y in (cpu.add(a, b), cpu.relu(a), cpu.relu_grad_x(a, b)):
        assert not np.shares_memory(y, a) and not np.shares_memory(y, b)


def test_the_sizes_here_stand_just_above_and_below_the_least():
    assert nchw((131_071,)).nbytes < elements.LEAST_BYTES <= nchw((131_072,)).nbytes
