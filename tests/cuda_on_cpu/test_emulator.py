"""The emulator tested: what a GPU would punish is noticed here too."""

import numpy as np
import pytest

from cuda_on_cpu import emulator
from cuda_on_cpu.emulator import ORDERS, Module
from tinyres_kernels.gpu.launch import FOLDER

pytestmark = emulator.needs_compiler
ONE_BLOCK = (1, 1, 1), (64, 1, 1)

REVERSE = """
#include "common.cuh"
extern "C" __global__ void reverse(const real* x, real* y) {
    SHARED(real, kept);
    kept[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = kept[blockDim.x - 1 - threadIdx.x];
}
"""


def module(text):
    return Module(text, ("real=float",))


def run(text, order="forward", x=None, name="reverse"):
    """y of a block of 64 threads, to whom x is 0 … 63."""
    kernels = module(text)
    kernels.set_order(order, seed=1)
    x, y = np.arange(64, dtype=np.float32) if x is None else x, np.full(64, np.nan, np.float32)
    kernels.get_function(name)(*ONE_BLOCK, (x, y), shared_mem=256)
    return y


@pytest.mark.parametrize("order", ORDERS)
def test_threads_meet_at_a_barrier(order):
    np.testing.assert_array_equal(run(REVERSE, order), np.arange(64)[::-1])


@pytest.mark.parametrize("order", ORDERS)
def test_a_barrier_left_out_shows(order):
    y = run(REVERSE.replace("    __syncthreads();\n", ""), order)
    assert np.isnan(y).any()  # somebody read what nobody had written yet


def test_a_barrier_that_not_all_come_to():
    with pytest.raises(AssertionError, match="reverse: not all threads came to the same barrier"):
        run(REVERSE.replace("    __syncthreads();", "    if (threadIdx.x < 32) __syncthreads();"))


def test_two_barriers_at_once():
    two = "    if (threadIdx.x < 32) {\n        __syncthreads();\n    } else {\n        __syncthreads();\n    }"
    with pytest.raises(AssertionError, match="not all threads came to the same barrier"):
        run(REVERSE.replace("    __syncthreads();", two))


@pytest.mark.parametrize("order", ORDERS)
def test_warps_exchange(order):
    text = """
    #include "common.cuh"
    extern "C" __global__ void sums(const real* x, real* y) {
        real sum = x[threadIdx.x];
        for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(~0u, sum, mask);
        y[threadIdx.x] = sum;
    }
    """
    np.testing.assert_array_equal(run(text, order, name="sums"), np.repeat([np.arange(32).sum(), 1520], 32))


LAST = """
#include "common.cuh"
__device__ unsigned arrived;
extern "C" __global__ void last(const real* x, real* y) {
    bool mine = false;
    if (threadIdx.x == 0) {
        y[blockIdx.x] = x[blockIdx.x];
        mine = atomicInc(&arrived, gridDim.x - 1) == gridDim.x - 1;
    }
    if (__syncthreads_or(mine)) y[gridDim.x + threadIdx.x] = blockIdx.x;
}
"""


@pytest.mark.parametrize(("order", "last"), [("forward", 4), ("backward", 0), ("shuffled", 2)])
def test_blocks_run_in_that_order_and_the_last_knows_that_it_is(order, last):
    kernels = module(LAST)
    kernels.set_order(order, seed=0)
    for _ in range(2):  # the counter has gone back to 0
        x, y = np.arange(5, dtype=np.float32), np.full(5 + 64, np.nan, np.float32)
        kernels.get_function("last")((5, 1, 1), (64, 1, 1), (x, y))
        np.testing.assert_array_equal(y, [*range(5), *[last] * 64])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, np.zeros(4, np.float32)), "expected int32 for int, got int"),
        ((np.int64(1), np.zeros(4, np.float32)), "expected int32 for int, got int64"),
        ((np.int32(1), np.zeros(4)), r"expected float\*, got array"),
        ((np.int32(1), np.zeros((2, 2), np.float32).T), "in another order"),
        ((np.int32(1),), "fill takes 2 arguments, got 1"),
    ],
    ids=["Python's int", "64 bits", "float64", "transposed", "too few"],
)
def test_wrong_arguments_are_refused(arguments, message):
    text = '#include "common.cuh"\nextern "C" __global__ void fill(int value, real* y) { y[threadIdx.x] = value; }'
    with pytest.raises(AssertionError, match=message):
        module(text).get_function("fill")(*ONE_BLOCK, arguments)


def test_what_does_not_compile_says_so():
    with pytest.raises(AssertionError, match="nowhere"):
        module(REVERSE.replace("x[threadIdx.x];", "nowhere;"))


@pytest.mark.parametrize("source", sorted(FOLDER.glob("*.cu")), ids=lambda path: path.name)
def test_every_kernel_is_found(source):
    """Those that the emulator does not see would never be run."""
    text = source.read_text(encoding="utf-8")
    assert len(emulator.KERNEL.findall(text)) == text.count('extern "C" __global__') > 0
