"""What is read from a listing of instructions, and from the compiler where there is one."""

import shutil
from importlib.util import find_spec

import pytest

from bench.gpu import sass
from tinyres.app.training import RunError

LISTING = """
\t\tFunction : other
        /*0000*/                   EXIT ;                    /* 0x000000000000794d */
\t\tFunction : conv2d
\t.headerflags\t@"EF_CUDA_SM90"
        /*0000*/                   LDC R1, c[0x0][0x28] ;    /* 0x00000a00ff017b82 */
                                                             /* 0x000fe20000000800 */
        /*0010*/                   FFMA R1, R1, R2, R3 ;     /* a loop with fewer products */
        /*0020*/               @P0 BRA 0x10 ;                /* 0xfffffffc00282947 */
        /*0030*/                   IADD3 R1, R1, 0x1, RZ ;   /* a loop around the inner one */
        /*0040*/              @!P1 LDG.E.128 R4, desc[UR4][R2.64] ;  /* here the inner one begins */
        /*0050*/                   LDG.E R4, [R2.64] ;       /* 0x0 */
        /*0060*/                   HMMA.16816.F32.BF16 R4, R8, R12, R4 ;  /* 0x0 */
        /*0070*/                   HMMA.16816.F32.BF16 R4, R8, R12, R4 ;  /* 0x0 */
        /*0080*/              @!P0 BRA 0x40 ;                /* 0xfffffffc00282947 */
        /*0090*/               @P2 BRA 0x30 ;                /* 0xfffffffc00282947 */
        /*00a0*/                   BRA 0x20000 ;             /* forward */
        /*00b0*/                   EXIT ;                    /* 0x0 */
        /*00c0*/                   NOP;                      /* 0x0 */
"""


def test_inner_loops():
    functions = dict(sass.listed(LISTING))
    assert [len(lines) for lines in functions.values()] == [1, 12]
    assert sass.inner_loops(functions["other"]) == []
    few, most = sass.inner_loops(functions["conv2d"])
    assert few == ("FFMA", "BRA")
    assert most == ("LDG.E.128", "LDG.E", *["HMMA.16816.F32.BF16"] * 2, "BRA")
    kernel = sass.Kernel(80, 0, 0, 12, most)
    assert (kernel.products, kernel.flop) == (2, 2 * 2 * 16 * 8 * 16)
    assert sass.read(most) == 32 * (16 + 4)


@pytest.mark.parametrize(
    ("name", "flop"),
    [
        ("FFMA.FTZ", 64),
        ("DFMA", 64),
        ("HMMA.1688.F32.TF32", 2 * 16 * 8 * 8),
        ("HGMMA.64x32x16.F32.BF16", 2 * 64 * 32 * 16 / 4),
        ("FADD", 0),
        ("IMAD.WIDE", 0),
    ],
)
def test_products(name, flop):
    assert sass.flop(name) == flop


@pytest.mark.parametrize(("name", "bytes"), [("LDG.E.64.CONSTANT", 256), ("LDGSTS.E.BYPASS.128", 512), ("LDS.128", 0)])
def test_reads(name, bytes):
    assert sass.read([name]) == bytes


def test_without_a_disassembler(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sass.sys, "path", [])
    with pytest.raises(RunError, match="pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm"):
        sass.cuobjdump.__wrapped__()


@pytest.mark.skipif(find_spec("cuda") is None, reason="NVRTC is not installed")
def test_a_kernel_of_ours():
    kernels = sass.compiled("conv2d.cu", "real=float", "COLUMNS=16")
    assert {"conv2d", "conv2d_grad_x", "conv2d_grad_w"} <= set(kernels)
    assert all(kernel.products > 0 and 16 < kernel.registers <= 255 for kernel in kernels.values())
    with pytest.raises(RunError, match="error"):
        sass.compile_cubin("conv2d.cu", "real=nothing")
