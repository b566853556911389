"""The tensor core's fragments: the emulator's, mma.cuh's, and the manual's own formulas agree, element by element.

Three readings of the same two pages (PTX ISA 9.0, 9.7.14.5.7 and 9.7.14.5.8), for a mistake that the kernels share with
the emulator would hide itself: below stand the manual's formulas, one case at a time and in its own words. Whether the
pages are right only a GPU can tell: test_on_a_gpu.py asks one, and an H100 said yes. (nvcc makes a single
instruction of `mma.sync`, so it holds no opinion on the layout; nvcuda::wmma keeps its own a secret.)
"""

import shutil
import subprocess

import numpy as np
import pytest

from cuda_on_cpu import emulator
from cuda_on_cpu.emulator import ORDERS, Module
from tinyres_kernels.gpu.launch import FOLDER

KINDS = {"tf32": 1, "bf16": 2}  # numbers in a word
ONE_WARP = (32, 1, 1)
by_kind = pytest.mark.parametrize("kind", KINDS)

# C += A·B in every block, of numbers that lie in the order of the fragments: (blocks, 32 lanes, elements).
FRAGMENTS = """
#include "common.cuh"
#include "mma.cuh"
extern "C" __global__ void fragments(const real* a, const real* b, real* c) {
    constexpr int N = FACTOR::NUMBERS;
    const int at = blockIdx.x * WARP + threadIdx.x;
    unsigned a_words[4], b_words[2];
    float sums[4];
    for (int r = 0; r < 4; r++) a_words[r] = FACTOR::word(a + (at * 4 + r) * N, 1);
    for (int r = 0; r < 2; r++) b_words[r] = FACTOR::word(b + (at * 2 + r) * N, 1);
    for (int r = 0; r < 4; r++) sums[r] = c[at * 4 + r];
    FACTOR::mma(sums, a_words, b_words);
    for (int r = 0; r < 4; r++) c[at * 4 + r] = sums[r];
}
"""
# mma.cuh's own account of the same: (32 lanes, 6, 4)
PLACES = """
#include "common.cuh"
#include "mma.cuh"
extern "C" __global__ void places(int* y) {
    const int lane = threadIdx.x;
    for (int r = 0; r < 4; r++) {
        const int found[6] = {a_row(lane, r), a_word(lane, r), b_word(lane, r), b_column(lane), c_row(lane, r),
                              c_column(lane, r)};
        for (int k = 0; k < 6; k++) y[(lane * 6 + k) * 4 + r] = found[k];
    }
}
"""


def emulated(text, *defines):
    return Module(text, ("real=float", *defines))


# ---- the manual's formulas -------------------------------------------------------------------------------------------


def a_place(kind, laneid, i):
    """(row, col) of the multiplicand A's a_i"""
    groupID, threadID_in_group = laneid >> 2, laneid % 4
    if kind == "tf32":
        row = {0: groupID, 1: groupID + 8, 2: groupID, 3: groupID + 8}[i]
        col = {0: threadID_in_group, 1: threadID_in_group, 2: threadID_in_group + 4, 3: threadID_in_group + 4}[i]
        return row, col
    row = groupID if 0 <= i < 2 or 4 <= i < 6 else groupID + 8
    return row, threadID_in_group * 2 + (i & 0x1) + (8 if i >= 4 else 0)


def b_place(kind, laneid, i):
    """(row, col) of the multiplicand B's b_i"""
    groupID, threadID_in_group = laneid >> 2, laneid % 4
    if kind == "tf32":
        return {0: threadID_in_group, 1: threadID_in_group + 4}[i], groupID
    return threadID_in_group * 2 + (i & 0x1) + (8 if i >= 2 else 0), groupID


def c_place(laneid, i):
    """(row, col) of the accumulator's c_i; the same in both"""
    groupID, threadID_in_group = laneid >> 2, laneid % 4
    return groupID if i < 2 else groupID + 8, threadID_in_group * 2 + (i & 0x1)


def in_fragments(matrix, place, elements):
    """matrix -> (32, elements): what each lane holds"""
    return np.array([[matrix[place(lane, i)] for i in range(elements)] for lane in range(32)], np.float32)


def sizes(kind):
    """depth, elements of A and of B that a lane holds"""
    N = KINDS[kind]
    return 8 * N, 4 * N, 2 * N


def multiply(load, kind, a, b, c, device=lambda array: array):
    """The kernel on fragments (blocks, 32, elements), on whatever device"""
    arrays = [device(np.ascontiguousarray(x, np.float32)) for x in (a, b, c)]
    load(FRAGMENTS, f"FACTOR={kind}").get_function("fragments")((len(a), 1, 1), ONE_WARP, tuple(arrays))
    return arrays[2]


def assert_every_element_has_its_place(load, kind, device=lambda array: array, host=lambda array: array):
    """A 1 in one element of one lane at a time; where it shows, and beside what, says which element it was."""
    K, of_a, of_b = sizes(kind)
    A, B = np.arange(16 * K).reshape(16, K), 1 + np.arange(K * 8).reshape(K, 8)  # 256 at most: exact in bf16
    for elements, place in ((of_a, a_place), (of_b, b_place)):
        hot = np.eye(32 * elements).reshape(-1, 32, elements)
        repeated = (len(hot), 1, 1)
        if place is a_place:
            b = np.tile(in_fragments(B, lambda lane, i: b_place(kind, lane, i), of_b), repeated)
            c = host(multiply(load, kind, hot, b, np.zeros((len(hot), 32, 4)), device))
        else:
            a = np.tile(in_fragments(A, lambda lane, i: a_place(kind, lane, i), of_a), repeated)
            c = host(multiply(load, kind, a, hot, np.zeros((len(hot), 32, 4)), device))
        for n, found in enumerate(c):
            row, column = place(kind, *divmod(n, elements))
            wanted = np.zeros((16, 8))
            if place is a_place:
                wanted[row] = B[column]  # a 1 in A's row, column k brings out B's row k
            else:
                wanted[:, column] = A[:, row]
            np.testing.assert_array_equal(found, in_fragments(wanted, c_place, 4), err_msg=f"{kind}: {place} {n}")


# ---- the emulator ----------------------------------------------------------------------------------------------------


@emulator.needs_compiler
@by_kind
def test_every_element_has_its_place(kind):
    assert_every_element_has_its_place(emulated, kind)


@emulator.needs_compiler
@by_kind
@pytest.mark.parametrize("order", ORDERS)
def test_sums_are_added_to(kind, order):
    K, of_a, of_b = sizes(kind)
    draws = np.random.default_rng(0)
    A, B, C = (draws.integers(-8, 9, shape) for shape in ((16, K), (K, 8), (16, 8)))
    parts = (A, lambda lane, i: a_place(kind, lane, i), of_a), (B, lambda lane, i: b_place(kind, lane, i), of_b)
    a, b, c = (in_fragments(*part)[None] for part in (*parts, (C, c_place, 4)))

    def load(*text):
        module = emulated(*text)
        module.set_order(order, seed=1)
        return module

    np.testing.assert_array_equal(multiply(load, kind, a, b, c)[0], in_fragments(C + A @ B, c_place, 4))


@emulator.needs_compiler
@by_kind
def test_the_header_says_the_same(kind):
    """mma.cuh counts in words: in bf16 word r of A are its elements 2r and 2r + 1, at columns 2·word and 2·word + 1."""
    found = np.zeros((32, 6, 4), np.int32)
    emulated(PLACES).get_function("places")((1, 1, 1), ONE_WARP, (found,))
    N = KINDS[kind]
    for lane in range(32):
        a_row, a_word, b_word, b_column, c_row, c_column = found[lane]
        for i in range(4 * N):
            assert a_place(kind, lane, i) == (a_row[i // N], N * a_word[i // N] + i % N)
        for i in range(2 * N):
            assert b_place(kind, lane, i) == (N * b_word[i // N] + i % N, b_column[0])
        for i in range(4):
            assert c_place(lane, i) == (c_row[i], c_column[i])


@emulator.needs_compiler
@by_kind
@pytest.mark.parametrize("condition", ["threadIdx.x < 16", "threadIdx.x != 5"])
def test_an_mma_that_not_all_lanes_come_to_is_noticed(kind, condition):
    text = FRAGMENTS.replace("FACTOR::mma", f"if ({condition}) FACTOR::mma")
    _, of_a, of_b = sizes(kind)
    with pytest.raises(AssertionError, match="not all threads came to the same barrier"):
        multiply(lambda _, *defines: emulated(text, *defines), kind, *(np.zeros((1, 32, n)) for n in (of_a, of_b, 4)))


@emulator.needs_compiler
def test_a_number_that_was_not_converted_is_noticed():
    text = FRAGMENTS.replace("FACTOR::word(a + (at * 4 + r) * N, 1)", "cuda_on_cpu::as_bits(a[at * 4 + r])")
    with pytest.raises(AssertionError, match="what a tensor core was given is not TF32"):
        multiply(lambda _, *defines: emulated(text, *defines), "tf32", *(np.full((1, 32, n), 0.1) for n in (4, 2, 4)))


# ---- rounding --------------------------------------------------------------------------------------------------------

ROUND = """
#include "common.cuh"
#include "mma.cuh"
extern "C" __global__ void rounded(const real* x, int* y) { y[blockIdx.x] = (int)FACTOR::word(x + blockIdx.x, 0); }
"""


def rounded(kind, x):
    """What the numbers x become, by the emulator."""
    x = np.asarray(x, np.float32)
    words = np.zeros(len(x), np.int32)
    emulated(ROUND, f"FACTOR={kind}").get_function("rounded")((len(x), 1, 1), (1, 1, 1), (x, words))
    if kind == "bf16":  # both halves hold x[0]
        np.testing.assert_array_equal(words >> 16 & 0xFFFF, words & 0xFFFF)
        words = words << 16
    return words.view(np.float32)


def by_arithmetic(kind, x):
    """The same without a look at the bits: the fraction in units of its last digit, rounded."""
    fraction, exponent = np.frexp(np.asarray(x, np.float64))  # 0.5 <= |fraction| < 1
    if kind == "tf32":  # 11 significant bits, ties away from zero
        digits = np.copysign(np.floor(np.abs(fraction) * 2**11 + 0.5), fraction) / 2**11
    else:  # 8, ties to even
        digits = np.rint(fraction * 2**8) / 2**8
    return np.ldexp(digits, exponent)


@emulator.needs_compiler
@by_kind
def test_rounding(kind):
    draws = np.random.default_rng(0)
    x = (draws.standard_normal(2000) * 10.0 ** draws.integers(-30, 30, 2000)).astype(np.float32)
    ties = np.array([1 + k * 2.0**-11 for k in range(16)] + [-(1 + k * 2.0**-8) for k in range(16)], np.float32)
    for numbers in (x, ties, np.array([0.0, -0.0, 1.0, -2.0, np.inf, -np.inf], np.float32)):
        np.testing.assert_array_equal(rounded(kind, numbers), by_arithmetic(kind, numbers))
    assert np.isnan(rounded(kind, [np.nan])).all()


@emulator.needs_compiler
def test_ties():
    assert rounded("tf32", [1 + 2.0**-11, -1 - 3 * 2.0**-11]).tolist() == [1 + 2.0**-10, -1 - 2 * 2.0**-10]
    assert rounded("bf16", [1 + 2.0**-8, -1 - 3 * 2.0**-8]).tolist() == [1, -1 - 2 * 2.0**-7]


@emulator.needs_compiler
@by_kind
def test_the_largest_error(kind):
    """Half of the last digit: a share of 2⁻¹¹ in TF32 (11 significant bits), 2⁻⁸ in bf16 (8 bits).

    test_tensor_cores.py builds its bounds on that.
    """
    unit = {"tf32": 2.0**-11, "bf16": 2.0**-8}[kind]
    x = np.linspace(1, 2, 4097).astype(np.float32)
    error = np.abs(rounded(kind, x).astype(np.float64) - x) / x
    assert 0.9 * unit < error.max() <= unit


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")
@pytest.mark.parametrize(
    ("kind", "instruction"),
    [("tf32", "m16n8k8.row.col.f32.tf32.tf32.f32"), ("bf16", "m16n8k16.row.col.f32.bf16.bf16.f32")],
)
def test_nvcc_takes_the_instructions(kind, instruction, tmp_path):
    """ptxas knows how many registers each takes, and of what type: it has accepted them if it gives a cubin."""
    source = tmp_path / "fragments.cu"
    source.write_text(FRAGMENTS, encoding="utf-8")
    command = ["nvcc", "-arch=sm_80", "-std=c++17", f"-I{FOLDER}", "-Dreal=float", f"-DFACTOR={kind}", str(source)]
    for output in ("-ptx", "-cubin"):
        result = subprocess.run([*command, output, "-o", str(tmp_path / output)], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    ptx = (tmp_path / "-ptx").read_text(encoding="utf-8")
    assert ptx.count(f"mma.sync.aligned.{instruction}") == 1
    rounding = {"tf32": "cvt.rna.tf32.f32", "bf16": "cvt.rn.bf16x2.f32"}[kind]
    assert ptx.count(rounding) == 6  # a_0 … a_3, b_0 and b_1
