"""What a kernel becomes in the instructions of a GPU (SASS), found out without one: registers, spills, the inner loop.

NVRTC compiles the source as CuPy would have it do, and cuobjdump takes the result apart.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinyres.app.training import RunError
from tinyres_kernels.gpu import launch

ARCHITECTURE = "sm_90"  # an H100
LANES = 32  # of a warp
FUNCTION = re.compile(r"^\s+Function : (\w+)$")
INSTRUCTION = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\w+ )?(\S+)([^;]*);")
USAGE = re.compile(r"Function (\w+):\s+REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)")
PRODUCT = re.compile(r"HMMA\.(16)(8)(4|8|16)\b|HGMMA\.(64)x(\d+)x(\d+)|(FFMA|DFMA)\b")
READS = "LDG.", "LDGSTS."  # from memory into a register, or into shared memory


@dataclass(frozen=True)
class Kernel:
    """registers: of a thread. shared: static bytes of a block. spilled: bytes of a thread.
    length: all instructions. loop: the names of those in the inner loop, with the products.
    loading: of those in a loop that only reads; none if the inner loop reads for itself"""

    registers: int
    shared: int
    spilled: int
    length: int
    loop: tuple[str, ...]
    loading: tuple[str, ...] = ()

    @property
    def products(self) -> int:
        """Instructions of the inner loop that multiply and add."""
        return sum(flop(name) > 0 for name in self.loop)

    @property
    def flop(self) -> int:
        """Of a warp in one turn of the inner loop."""
        return sum(map(flop, self.loop))


def read(names: Iterable[str]) -> int:
    """The bytes that a warp reads with these instructions from the GPU's memory, or its cache."""
    reads = [name.split(".") for name in names if name.startswith(READS)]
    return sum(LANES * (16 if "128" in words else 8 if "64" in words else 4) for words in reads)


def flop(name: str) -> int:
    """The multiplications and additions of a warp in one instruction; 0 if it is no such product."""
    if not (match := PRODUCT.match(name)):
        return 0
    if match[7]:
        return 2 * LANES
    M, N, K = map(int, match.groups()[:3] if match[1] else match.groups()[3:6])
    return 2 * M * N * K // (4 if match[4] else 1)  # four warps share an HGMMA


@cache
def compiled(source: str, *defines: str) -> dict[str, Kernel]:
    """The kernels of that file, by name. RunError: there is no compiler or no disassembler, or an error in the file."""
    with tempfile.TemporaryDirectory() as folder:
        cubin = Path(folder, "kernels.cubin")
        cubin.write_bytes(compile_cubin(source, *defines))
        usage, listing = (told(cubin, option) for option in ("-res-usage", "-sass"))
    functions = dict(listed(listing))
    kernels = {}
    for name, *numbers in USAGE.findall(usage):
        registers, stack, shared, local = map(int, numbers)
        loops = inner_loops(functions[name])
        loop = max(loops, key=lambda loop: sum(map(flop, loop)), default=())
        loading = max(loops, key=read, default=())
        if read(loop) or not read(loading):
            loading = ()
        kernels[name] = Kernel(registers, shared, stack + local, len(functions[name]), loop, loading)
    return kernels


def compile_cubin(source: str, *defines: str) -> bytes:
    try:
        from cuda.bindings import nvrtc
    except ImportError as error:
        raise RunError("sass: NVRTC is missing: pip install cuda-bindings nvidia-cuda-nvrtc") from error
    text = (launch.FOLDER / source).read_bytes()
    _, program = nvrtc.nvrtcCreateProgram(text, source.encode(), 0, [], [])
    options = [option.encode() for option in (*launch.options(*defines), f"-arch={ARCHITECTURE}")]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    size, get = nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        size, get = nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog
    found = b" " * size(program)[1]
    get(program, found)
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise RunError(f"sass: {source} {' '.join(defines)}: {found.decode().strip()}")
    return found


def told(cubin: Path, option: str) -> str:
    return subprocess.run([cuobjdump(), option, cubin], capture_output=True, text=True, check=True).stdout


@cache
def cuobjdump() -> str:
    """The path of the program: in $PATH, in NVIDIA's packages, or in triton's."""
    if found := shutil.which("cuobjdump"):
        return found
    for folder in sys.path:
        for place in ("nvidia/cu13/bin", "triton/backends/nvidia/bin"):
            if (program := Path(folder, place, "cuobjdump")).exists():
                return str(program)
    raise RunError("sass: cuobjdump is missing: pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm, or triton")


Line = tuple[int, str, str]  # an instruction's address, its name, and what it works on


def listed(listing: str) -> Iterator[tuple[str, list[Line]]]:
    """Each function's name, and its instructions."""
    lines: list[Line] = []
    for line in listing.splitlines():
        if begin := FUNCTION.match(line):
            lines = []
            yield begin[1], lines
        elif (match := INSTRUCTION.match(line)) and match[2] != "NOP":
            lines.append((int(match[1], 16), match[2], match[3].strip()))


def inner_loops(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    """The names of the instructions in each loop that has no other in it."""
    spans = []
    for address, name, rest in lines:
        if name.startswith("BRA") and (target := re.search(r"0x([0-9a-f]+)$", rest)) and int(target[1], 16) < address:
            spans.append((int(target[1], 16), address))
    inner = [(a, b) for a, b in spans if not any(a <= c and d <= b and (a, b) != (c, d) for c, d in spans)]
    return [tuple(name for address, name, _ in lines if first <= address <= last) for first, last in inner]
