"""How long convolutions should take on an H100, by their instructions alone: `python -m bench sass`, without a GPU.

The launches are those that the kernels' own Python makes for a training step of a network, weights as in a captured
step. For each:

    blocks at once = what a multiprocessor holds, by registers, shared memory, threads and blocks
    waves          = the blocks, as many at once as all processors hold; fewer in the last
    turns          = flop / (flop of a warp in one turn of the inner loop · all warps)
    loading        = bytes read, each once · instructions of the loop that reads, for a byte / all warps
    instructions   = turns · loop + loading + all outside the loop, of a warp
    cycles         = the sum over the waves of instructions · max(LATENCY, a scheduler's warps)
    seconds        = max(cycles / clock, least bytes / bandwidth) + from one launch to the next

A scheduler starts one instruction in a cycle, of any of its warps; a warp alone waits LATENCY cycles from one to the
next, on average. "least" are the bytes of all arrays, once; "asked" are those that the inner loop reads from memory or
from the cache, if it does.

The time is rather too short, because some instructions are not seen and come on top: turns for what is no useful
product (a tile's empty rows, the zeros between a stride's pixels), what several blocks read again, loops around loops.
Branches that are not taken are counted, though. The first kernels, of a single loop, took an H100 3.4 ms for the
convolutions of a step of ResNet-20 with 128 images in bf16, and 3.8 in TF32, where this told 2.9 and 3.6. Single layers
were off by half, and by more where the stride is 2.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

import tinyres_kernels.gpu as gpu
from bench.gpu import sass
from bench.gpu.kernels import flop, label_of
from bench.gpu.recording import CONVOLUTIONS, Call, recorded
from bench.gpu.report import table
from tinyres.app.bench.step import Training
from tinyres.device import kernels_through
from tinyres.nn import functional as F
from tinyres.scale.precision import using_products
from tinyres_kernels.gpu import launch, sgd

PROCESSORS, SCHEDULERS, CLOCK, BANDWIDTH = 132, 4, 1.755e9, 3.0e12  # of an H100 SXM; bandwidth as a copy reaches it
REGISTERS, SHARED, WARPS, BLOCKS = 65_536, 228 * 1024, 64, 32  # of a multiprocessor
SYSTEM = 1024  # bytes of shared memory that each block takes; in what the compiler tells if the kernel uses any
LATENCY = 6.0  # cycles
LAUNCH = 1.5e-6  # seconds from one kernel of a graph to the next


@dataclass(frozen=True)
class Launch:
    """A launch that was noted. warps: of a block. shared: bytes of a block. least: the bytes of its arrays, once, and
    read: of those that it reads."""

    source: str
    kernel: str
    defines: tuple[str, ...]
    blocks: int
    warps: int
    shared: int
    read: int
    least: int

    @property
    def compiled(self) -> sass.Kernel:
        return sass.compiled(self.source, *self.defines)[self.kernel]

    @property
    def at_once(self) -> int:
        """Blocks that a multiprocessor holds."""
        registers = -(-self.compiled.registers // 8) * 8 * sass.LANES * self.warps
        shared = self.shared + max(self.compiled.shared, SYSTEM)
        return min(REGISTERS // registers, SHARED // shared, WARPS // self.warps, BLOCKS)

    def turns(self, flop: int) -> float:
        """Of the inner loop, of a warp."""
        return flop / (self.compiled.flop * self.blocks * self.warps)

    def seconds(self, flop: int) -> float:
        """flop: of its call; a launch without products takes the time of its bytes."""
        cycles = 0.0
        if self.compiled.flop:
            loop = len(self.compiled.loop)
            instructions = self.turns(flop) * loop + self.loading + self.compiled.length - loop
            cycles = sum(instructions * max(LATENCY, blocks * self.warps / SCHEDULERS) for blocks in self.waves())
        return max(cycles / CLOCK, self.least / BANDWIDTH) + LAUNCH

    @property
    def loading(self) -> float:
        """Instructions of a warp, where a loop of its own reads; 0 where the inner loop does."""
        names = self.compiled.loading
        return self.read * len(names) / sass.read(names) / (self.blocks * self.warps) if names else 0

    def waves(self) -> list[int]:
        """Blocks on the fullest multiprocessor, in each wave."""
        full, rest = divmod(self.blocks, PROCESSORS * self.at_once)
        return [self.at_once] * full + ([-(-rest // PROCESSORS)] if rest else [])

    def asked(self, flop: int) -> float:
        """Bytes."""
        return self.turns(flop) * sass.read(self.compiled.loop) * self.blocks * self.warps


@contextmanager
def noted() -> Iterator[list[Launch]]:
    """Inside, kernels of the gpu rung take NumPy's arrays, and launches are noted and not made."""
    launches: list[Launch] = []
    own = launch.load

    class Function:
        def __init__(self, source: str, kernel: str, *defines: str) -> None:
            self.what = source, kernel, defines

        def __call__(self, grid: Sequence[int], block: Sequence[int], arguments: Any, shared_mem: int = 0) -> None:
            source, kernel, _ = self.what
            arrays = {id(a): a.nbytes for a in arguments if isinstance(a, np.ndarray)}
            text = (launch.FOLDER / source).read_text(encoding="utf-8")
            declared = re.search(rf"\b{kernel}\(([^)]*)\)", text)
            assert declared, f"{source} has no {kernel}"
            constant = ["const" in parameter for parameter in declared[1].split(",")]
            read = {id(a) for a, is_read in zip(arguments, constant, strict=True) if is_read}
            given = sum(size for key, size in arrays.items() if key in read), sum(arrays.values())
            launches.append(Launch(*self.what, prod(grid), -(-prod(block) // sass.LANES), shared_mem, *given))

    launch.load = Function  # type: ignore[assignment]
    try:
        yield launches
    finally:
        launch.load = own


def convolutions(model: str, batch_size: int) -> dict[str, tuple[Call, int]]:
    """The distinct calls of a training step, by label, and how often each occurs."""
    training = Training(model, batch_size)
    parameters = list(training.model.parameters())
    shapes = [parameter.shape for parameter in parameters]
    flat = np.zeros((sgd.pages_of(shapes), sgd.PAGE), np.float32)
    for parameter, w in zip(parameters, sgd.views(flat, shapes), strict=True):
        parameter.data = w
    with noted(), kernels_through(lambda kernels: gpu), recorded(gpu) as calls, np.errstate(all="ignore"):
        F.cross_entropy(training.model(training.images), training.labels).backward()  # of numbers that nothing has set
    counts = Counter(map(label_of, calls))
    return {label_of(call): (call, counts[label_of(call)]) for call in calls if call.kernel in CONVOLUTIONS}


def measured(model: str, batch_size: int, kinds: Sequence[str]) -> str:
    """Two tables: every kernel as it was compiled, and every layer's launches."""
    kernels: dict[tuple[str, tuple[str, ...]], Launch] = {}
    titles = "layer", "products", "calls", "kernel", "blocks", "waves", "least MB", "asked MB", "µs", "µs a step"
    layers: list[tuple[str, ...]] = [titles]
    total = dict.fromkeys(kinds, 0.0)
    calls = convolutions(model, batch_size)
    for kind in kinds:
        for label, (call, count) in calls.items():
            with using_products(kind), noted() as launches:
                work = flop(call, call.on(gpu))
            for one in launches:
                taken = 1e6 * one.seconds(work)
                total[kind] += count * taken
                asked = f"{one.asked(work) / 1e6:.1f}" if one.compiled.flop and not one.compiled.loading else ""
                waves = f"{one.blocks / PROCESSORS / one.at_once:.2f}"
                figures = (waves, f"{one.least / 1e6:.1f}", asked, f"{taken:.1f}", f"{count * taken:.0f}")
                layers.append((label, kind, str(count), one.kernel, str(one.blocks), *figures))
                if one.compiled.flop:
                    kernels[one.kernel, one.defines] = one
    sums = [f"all {kind}: {taken / 1e3:.2f} ms a step" for kind, taken in total.items()]
    return "\n".join([as_compiled(kernels.values()), "", table(layers), "", *sums])


def as_compiled(launches: Iterable[Launch]) -> str:
    titles = "kernel", "compiled with", "registers", "spilled", "shared", "at once", "loop", "products", "loop/products"
    lines: list[tuple[str, ...]] = [titles]
    for one in launches:
        it = one.compiled
        loop, products = len(it.loop), it.products
        figures = it.registers, it.spilled, one.shared + it.shared, one.at_once, loop, products
        lines.append((one.kernel, " ".join(one.defines), *map(str, figures), f"{loop / products:.1f}"))
    return table(lines)
