"""Stands in for CuPy's RawModule: compiles a .cu file with g++ and runs its kernels here, on NumPy arrays.

It is as strict as a GPU is not: arguments must be of the very types that the kernel declares (a 64-bit number where it
takes an int would shift all that follow), barriers must not diverge, and arrays must lie in the order of their axes.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tinyres_kernels.gpu.launch import FOLDER

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
HERE = Path(__file__).parent
BUILT = Path(tempfile.gettempdir(), "tinyres-cuda-on-cpu")
ORDERS = ("forward", "backward", "shuffled", "warp by warp")
KERNEL = re.compile(r'extern "C" __global__ void(?: __launch_bounds__\([^)]*\))? (\w+)\(([^)]*)\)')
SCALARS = {
    "int": np.int32,
    "float": np.float32,
    "double": np.float64,
    "unsigned char": np.uint8,
    "long long": np.int64,
}


class Launch(NamedTuple):
    carry_out: Callable[[], None]
    kernel: str
    arrays: list[tuple[np.ndarray, bool]]  # that it takes, each with whether it is written
    by_address: bool  # it takes addresses, too


record: Callable[[Launch], None] | None = (
    None  # while a graph is recorded, launches are not carried out but given to it
)


def load(source: str, kernel: str, *defines: str) -> Callable[..., None]:
    """As tinyres_kernels.gpu.launch.load."""
    return compiled((FOLDER / source).read_text(encoding="utf-8"), *defines).get_function(kernel)


@cache
def compiled(text: str, *defines: str) -> Module:
    return Module(text, defines)


class Module:
    """flags: more of the compiler's, such as -fsanitize=address."""

    def __init__(self, text: str, defines: Sequence[str], flags: Sequence[str] = ()):
        real = next(define.removeprefix("real=") for define in defines if define.startswith("real="))
        kernels = {name: parameters.split(",") for name, parameters in KERNEL.findall(text)}
        self.parameters = {name: [type_of(p, real) for p in parameters] for name, parameters in kernels.items()}
        self.written = {name: ["const" not in p for p in parameters] for name, parameters in kernels.items()}
        self.library = ctypes.CDLL(str(build(text, self.parameters, defines, flags)))
        self.library.divergent_barriers.restype = ctypes.c_long
        self.library.unconverted_numbers.restype = ctypes.c_long

    def get_function(self, name: str) -> Callable[..., None]:
        """A function with its module as an attribute."""
        launch, types = getattr(self.library, f"launch_{name}"), self.parameters[name]

        def run(grid: Sequence[int], block: Sequence[int], arguments: Sequence[Any], shared_mem: int = 0) -> None:
            assert len(grid) == len(block) == 3 and all(n > 0 for n in (*grid, *block)), (grid, block)
            assert len(arguments) == len(types), f"{name} takes {len(types)} arguments, got {len(arguments)}"
            places = (ctypes.c_void_p * len(types))()
            kept = []  # until the kernel has run
            for k, (argument, declared) in enumerate(zip(arguments, types, strict=True)):
                value = address_of(argument, declared) if declared.endswith("*") else scalar(argument, declared)
                kept.append(value)
                places[k] = ctypes.addressof(value)

            def carry_out(kept: list[Any] = kept) -> None:  # so that they live as long as it does
                launch((ctypes.c_int * 3)(*grid), (ctypes.c_int * 3)(*block), ctypes.c_size_t(shared_mem), places)
                assert self.library.divergent_barriers() == 0, f"{name}: not all threads came to the same barrier"
                assert self.library.unconverted_numbers() == 0, f"{name}: what a tensor core was given is not TF32"

            if record is None:
                carry_out()
                return
            given = zip(arguments, self.written[name], strict=True)
            arrays = [(a, written) for a, written in given if isinstance(a, np.ndarray)]
            record(Launch(carry_out, name, arrays, "long long*" in types))

        run.module = self
        return run

    def set_order(self, order: str, seed: int = 0) -> None:
        """The order in which threads take turns: one of ORDERS."""
        self.library.set_order(ORDERS.index(order), seed)


def type_of(parameter: str, real: str) -> str:
    """Of `const real* x`: float*."""
    kind = " ".join(word for word in parameter.replace("*", " ").split()[:-1] if word not in ("const", "__restrict__"))
    return (real if kind == "real" else kind) + ("*" if "*" in parameter else "")


def address_of(array: Any, declared: str) -> ctypes.c_void_p:
    wanted = SCALARS[declared.rstrip("*")]
    assert isinstance(array, np.ndarray) and array.dtype == wanted, f"expected {declared}, got {array!r:.80}"
    assert array.flags.c_contiguous, "a kernel was given an array whose bytes are in another order"
    return ctypes.c_void_p(array.ctypes.data)


def scalar(value: Any, declared: str) -> Any:
    wanted = SCALARS[declared]
    assert type(value) is wanted, f"expected {wanted.__name__} for {declared}, got {type(value).__name__}"
    return np.ctypeslib.as_ctypes_type(wanted)(value)


def build(text: str, parameters: dict[str, list[str]], defines: Sequence[str], flags: Sequence[str]) -> Path:
    """The library, compiled unless that very code was compiled before."""
    launches = "\n".join(wrapper(name, types) for name, types in parameters.items())
    code = f'#include "cuda_on_cpu.h"\n{text}\n{launches}\n{FOOT}'
    files = sorted([*HERE.glob("*.h"), *FOLDER.glob("*.cuh")])
    headers = "".join(path.read_text(encoding="utf-8") for path in files)
    options = ["-O2", "-std=c++17", "-shared", "-fPIC", f"-I{HERE}", f"-I{FOLDER}", *flags]
    options += [f"-D{define}" for define in defines]
    key = hashlib.sha256("\0".join((code, headers, *options)).encode()).hexdigest()[:24]
    library = BUILT / f"{key}.so"
    if not library.exists():
        BUILT.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILT) as folder:
            written, made = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
            written.write_text(code, encoding="utf-8")
            command = ["g++", *options, str(written), "-o", str(made)]
            result = subprocess.run(command, capture_output=True, text=True)
            assert result.returncode == 0, result.stderr
            made.replace(library)
    return library


def wrapper(name: str, types: Sequence[str]) -> str:
    given = ", ".join(f"*({kind}*)arguments[{k}]" for k, kind in enumerate(types))
    return (
        f'extern "C" void launch_{name}(const int* grid, const int* block, size_t shared, void** arguments) {{\n'
        f"    cuda_on_cpu::launch(grid, block, shared, [](void** arguments) {{ {name}({given}); }}, arguments);\n}}"
    )


FOOT = """
extern "C" void set_order(int order, unsigned seed) { cuda_on_cpu::order = order, cuda_on_cpu::seed = seed; }
extern "C" long divergent_barriers() { return std::exchange(cuda_on_cpu::divergent, 0); }
extern "C" long unconverted_numbers() { return std::exchange(cuda_on_cpu::unconverted, 0); }
"""
