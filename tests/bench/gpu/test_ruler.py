"""The ruler's arithmetic, by hand, and what it notes of launches."""

import numpy as np
import pytest

import tinyres_kernels.gpu as gpu
from bench.__main__ import main
from bench.gpu import ruler, sass
from tinyres_kernels.gpu import launch

PRODUCTS = sass.Kernel(64, 1024, 0, length=30, loop=("HMMA.1688.F32.TF32", "LDG.E", "BRA"))
OTHER = sass.Kernel(16, 0, 0, length=10, loop=())


@pytest.fixture
def compiled(monkeypatch):
    """Kernels whose names begin with conv2d have a loop of one product and two other instructions."""

    class Kernels:
        def __getitem__(self, name):
            return PRODUCTS if name.startswith("conv2d") else OTHER

    monkeypatch.setattr(sass, "compiled", lambda source, *defines: Kernels())


def a_launch(kernel="conv2d", blocks=132, warps=4, shared=0, read=0, least=0):
    return ruler.Launch("conv2d.cu", kernel, (), blocks, warps, shared, read, least)


def test_blocks_at_once(compiled):
    assert a_launch().at_once == 8  # 64 registers of 128 threads: an eighth of all
    assert a_launch(shared=75 * 1024).at_once == 3  # 76 KiB each, of 228
    assert a_launch("spread").at_once == 16  # 64 warps
    assert a_launch("spread", warps=1).at_once == 32


def test_waves(compiled):
    """Eight blocks at once on each of 132 processors: 1056 in a wave."""
    assert a_launch(blocks=1).waves() == [1]
    assert a_launch(blocks=133).waves() == [2]
    assert a_launch(blocks=2 * 1056).waves() == [8, 8]
    assert a_launch(blocks=1056 + 300).waves() == [8, 3]


def test_seconds(compiled):
    """132 blocks of 4 warps do 10 turns each: 10 · 3 + 27 instructions of a warp, and one warp for each scheduler."""
    flop = 10 * 2048 * 132 * 4
    assert a_launch().turns(flop) == 10
    assert a_launch().seconds(flop) == pytest.approx(57 * ruler.LATENCY / ruler.CLOCK + ruler.LAUNCH)
    many = a_launch(blocks=8 * 132)  # eight warps for each scheduler, which then never waits
    assert many.seconds(8 * flop) == pytest.approx(57 * 8 / ruler.CLOCK + ruler.LAUNCH)
    assert a_launch(least=3e9).seconds(flop) == pytest.approx(1e-3 + ruler.LAUNCH)  # 3 GB at 3 TB/s
    assert a_launch("spread", least=3e9).seconds(flop) == pytest.approx(1e-3 + ruler.LAUNCH)
    assert a_launch().asked(flop) == 10 * 132 * 4 * 32 * 4


def test_a_loop_that_reads(monkeypatch):
    """Five instructions for the 128 bytes that a warp reads with LDG.E."""
    loading = sass.Kernel(
        64, 1024, 0, 30, ("HMMA.1688.F32.TF32", "BRA"), loading=("LDG.E", "STS", "IADD3", "IADD3", "BRA")
    )
    monkeypatch.setattr(sass, "compiled", lambda source, *defines: {"conv2d": loading})
    flop = 10 * 2048 * 132 * 4
    reads = a_launch(read=132 * 4 * 128 * 7)
    assert reads.loading == 7 * 5
    more = reads.seconds(flop) - a_launch().seconds(flop)
    assert more == pytest.approx(7 * 5 * ruler.LATENCY / ruler.CLOCK)
    assert reads.asked(flop) == 0


def test_launches_are_noted_and_not_made():
    x, w = np.zeros((2, 16, 8, 8), np.float32), np.zeros((16, 16, 3, 3), np.float32)
    own = launch.load
    with ruler.noted() as launches:
        y = gpu.conv2d(x, w, (1, 1), (1, 1))
    assert launch.load is own and y.shape == x.shape
    product = next(one for one in launches if one.kernel == "conv2d")
    assert product.source.startswith("conv2d") and product.blocks > 0 and product.warps > 0
    assert product.read == x.nbytes + w.nbytes
    assert product.least == x.nbytes + w.nbytes + y.nbytes


def test_the_convolutions_of_a_step():
    calls = ruler.convolutions("resnet8", 2)
    counts = {}
    for call, count in calls.values():
        counts[call.kernel] = counts.get(call.kernel, 0) + count
    assert counts == {"conv2d": 7, "conv2d_grad_x": 6, "conv2d_grad_w": 7}  # images need no gradient
    weights = [call.arguments[1] for call, _ in calls.values() if call.kernel == "conv2d"]
    assert all(w.transpose(2, 3, 1, 0).flags.c_contiguous for w in weights)


def test_the_tables(compiled, capsys):
    assert main(["sass", "--model", "resnet8", "--batch-size", "2", "--kinds", "bf16,float32"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("conv2d_grad_w  real=float") for line in lines)
    row = next(line for line in lines if line.startswith("conv2d 2×16×32×32 16×16×3×3") and "bf16" in line)
    assert float(row.split()[-2]) > 0
    assert [line.split()[1] for line in lines[-2:]] == ["bf16:", "float32:"]
