"""What only compiled kernels can get wrong: threads, and memory not theirs. (What they compute: test_rungs.py)"""

import numba
import numpy as np
import pytest

import tinyres_kernels.cpu as cpu
from tinyres_kernels.cpu import memory, rows

SHAPE = (64, 17, 13, 11)  # 155,584 numbers, 19 blocks of float32, the last of which is not full


def nhwc(shape, seed, dtype=np.float32):
    N, C, H, W = shape
    return np.random.default_rng(seed).standard_normal((N, H, W, C)).astype(dtype).transpose(0, 3, 1, 2)


def everything(shape=SHAPE):
    """Every kernel's answers, one after the other."""
    x, gy, residual = (nhwc(shape, seed) for seed in range(3))
    mean, gamma, beta = (np.random.default_rng(k).standard_normal(shape[1]).astype(np.float32) for k in range(3))
    r = np.abs(gamma) + 1
    yield from cpu.batch_norm_statistics(x, 1e-5)
    yield cpu.batch_norm(x, mean, r, gamma, beta)
    yield from cpu.batch_norm_grad_sums(gy, x, mean, r)
    yield cpu.batch_norm_grad_x(gy, x, mean, r, gamma, beta, mean)
    yield cpu.batch_norm_relu(x, mean, r, gamma, beta)
    yield from cpu.batch_norm_relu_grad_sums(gy, x, mean, r, gamma, beta)
    yield cpu.batch_norm_relu_grad_x(gy, x, mean, r, gamma, beta, beta, mean)
    y = cpu.batch_norm_add_relu(x, residual, mean, r, gamma, beta)
    yield y
    yield from cpu.batch_norm_add_relu_grad_sums(gy, y, x, mean, r)
    windows = (3, 2), (2, 1), (1, 1)
    pooled, argmax = cpu.max_pool2d(x, *windows, True)
    yield from (pooled, argmax, cpu.max_pool2d_grad_x(pooled, argmax, shape, *windows))
    averages = cpu.avg_pool2d(x, *windows, True, False)
    yield from (averages, cpu.avg_pool2d_grad_x(averages, shape, *windows, False))
    yield from (cpu.add(x, residual), cpu.relu(x), cpu.relu_grad_x(gy, y))


def assert_equal_to_the_bit(one, other):
    assert [a.tobytes() for a in one] == [b.tobytes() for b in other]


def test_equal_to_the_bit_from_run_to_run_and_with_any_number_of_threads():
    first = list(everything())
    assert len(first) == 23
    assert_equal_to_the_bit(everything(), first)
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert_equal_to_the_bit(everything(), first)
    finally:
        numba.set_num_threads(threads)


def all_ones(shape, dtype=np.float64):
    """np.empty's worst case"""
    return np.frombuffer(b"\xff" * (np.prod(shape, dtype=int) * np.dtype(dtype).itemsize), dtype).reshape(shape).copy()


def test_nothing_is_read_from_fresh_memory(monkeypatch):
    """Fresh memory holds what was there before: often zeros, which hide the mistake. Here all its bits are 1: NaN."""
    clean = list(everything())
    monkeypatch.setattr(memory, "SHELF", memory.Shelf())
    monkeypatch.setattr(memory, "SHELF", memory.Shelf(limit=0))  # so that every buffer is fresh
    monkeypatch.setattr(memory.np, "empty", all_ones)
    assert np.isnan(memory.empty((2, 3), np.dtype(np.float32))).all()
    assert_equal_to_the_bit(everything(), clean)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_images_come_out_as_they_went_in_channels_last(dtype):
    x = nhwc(SHAPE, 0, dtype)
    three = np.ones(17, dtype)
    for y in (cpu.batch_norm(x, three, three, three, three), cpu.batch_norm_relu(x, three, three, three, three)):
        assert y.strides == x.strides and y.dtype == dtype


def test_other_layouts_are_not_covered():
    """They go to the rung below, which takes anything."""
    x = nhwc((2, 3, 4, 5), 0)
    assert rows.covered(x) and rows.covered(x[:1]) and rows.covered(np.ones((4, 3)))
    assert not rows.covered(np.ascontiguousarray(x))
    assert not rows.covered(x[:, :2])
    assert not rows.covered(x[:, :, ::2])
    assert not rows.covered(x.astype(np.float16))
    assert not rows.covered(x[:0])


def test_any_layout_of_the_others_is_taken():
    """x decides who serves; a gy or a residual that lies otherwise is brought into x's order."""
    x, gy = nhwc(SHAPE, 0), nhwc(SHAPE, 1)
    y = cpu.batch_norm_relu(x, *np.ones((4, 17), np.float32))
    for other in (np.ascontiguousarray(gy), np.repeat(gy, 2, 3)[..., ::2], np.broadcast_to(gy[:1], SHAPE)):
        wanted = cpu.batch_norm_add_relu_grad_sums(nhwc_copy(other), y, x, *np.ones((2, 17), np.float32))
        assert_equal_to_the_bit(cpu.batch_norm_add_relu_grad_sums(other, y, x, *np.ones((2, 17), np.float32)), wanted)


def nhwc_copy(a):
    return np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
