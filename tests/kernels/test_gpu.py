"""The GPU's kernels, run here on the processor (tests/cuda_on_cpu). That they equal the reference: test_rungs.py."""

import re
import shutil
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from cuda_on_cpu import emulator

import tinyres_kernels.gpu as gpu
from tinyres import Tensor, manual_seed
from tinyres.models.resnet import BasicBlock, ResNet
from tinyres.models.resnet_imagenet import Bottleneck
from tinyres.nn import functional as F
from tinyres.scale.precision import using_products
from tinyres_kernels.gpu import launch
from tinyres_kernels.gpu.launch import FOLDER

NVCC = shutil.which("nvcc")
SOURCES = sorted(FOLDER.glob("*.cu"))


def draw(*shape):
    """NHWC bytes, as the kernels hand them on."""
    values = np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)
    return np.ascontiguousarray(np.moveaxis(values, 1, -1)).transpose(0, 3, 1, 2) if len(shape) == 4 else values


X, Y, W = draw(3, 18, 11, 9), draw(3, 20, 6, 5), draw(20, 18, 3, 3)
ARGMAX = np.full(Y.shape, 4, np.int32)
WINDOWS = (3, 3), (2, 2), (1, 1)
ROWS, SCORES, WEIGHTS = draw(37, 70), draw(37, 45), draw(45, 70)
LABELS = np.arange(37) % 45
# Every kernel once, by name: what to call it with. No size is a multiple of a tile's.
CALLS = {
    "conv2d": (X, W, (2, 2), (1, 1)),
    "conv2d_grad_x": (Y, W, X.shape, (2, 2), (1, 1)),
    "conv2d_grad_w": (Y, X, W.shape, (2, 2), (1, 1)),
    "max_pool2d": (X, *WINDOWS, False),
    "max_pool2d_grad_x": (Y, ARGMAX, (3, 20, 11, 9), *WINDOWS),
    "avg_pool2d": (X, *WINDOWS, False, True),
    "linear": (ROWS, WEIGHTS, SCORES[0]),
    "linear_grad_x": (SCORES, WEIGHTS),
    "linear_grad_w": (SCORES, ROWS),
    "linear_grad_b": (SCORES,),
    "cross_entropy": (SCORES, LABELS, 0.1),
    "cross_entropy_grad_x": (SCORES[:, 0], np.abs(SCORES), LABELS, 0.1),
}


def calls_on(x):
    """The kernels that take vectors of four numbers if they can (vector.cuh)."""
    C = x.shape[1]
    before = 4 if C % 4 == 0 else 2  # channels
    mean, r, gamma, beta = (np.abs(draw(C + k))[:C] for k in range(4))
    return {
        "batch_norm_statistics": (x, 1e-5),
        "batch_norm": (x, mean, r, gamma, beta),
        "batch_norm_grad_sums": (-x, x, mean, r),
        "batch_norm_grad_x": (-x, x, mean, r, gamma, beta, mean),
        "batch_norm_relu": (x, mean, r, gamma, beta),
        "batch_norm_relu_grad_sums": (-x, x, mean, r, gamma, beta),
        "batch_norm_relu_grad_x": (-x, x, mean, r, gamma, beta, beta, mean),
        "batch_norm_add_relu": (x, -x, mean, r, gamma, beta),
        "batch_norm_add_relu_grad_sums": (-x, x, x, mean, r),
        "avg_pool2d_grad_x": (x, (3, C, 2 * x.shape[2] - 1, 2 * x.shape[3]), *WINDOWS, True),
        "spread": (x, (3, C + before, 25, 22), (0, before, 2, 3), (1, 1, 2, 2), 0.5),
        "add": (x, x),
        "relu": (x,),
        "relu_grad_x": (x, x),
    }


CALLS |= calls_on(X) | {f"{name} of vectors": arguments for name, arguments in calls_on(Y).items()}
for kind in ("tf32", "bf16"):  # and once on tensor cores
    CALLS |= {f"{name} in {kind}": CALLS[name] for name in ("conv2d", "conv2d_grad_x", "conv2d_grad_w")}
every_call = pytest.mark.parametrize("name", CALLS)


pytestmark = pytest.mark.usefixtures("cuda_runs_here")
load_with_cupy = launch.load  # as it is before the fixture comes


def results(name):
    return call(gpu, name, CALLS[name])


def call(rung, name, arguments):
    """name: as in CALLS; -> all that its kernel gives"""
    kind = name.partition(" in ")[2]
    with using_products(kind or "float32"):
        found = getattr(rung, name.split()[0])(*arguments)
    return found if isinstance(found, tuple) else (found,)


def in_order(order, load, seed=3):
    """load, its kernels' threads taking turns in that order."""

    def loaded(*key):
        kernel = load(*key)
        kernel.module.set_order(order, seed)
        return kernel

    return loaded


@emulator.needs_compiler
@every_call
def test_the_order_of_the_threads_changes_nothing(name, monkeypatch):
    """What is missing a barrier, or adds up in whatever order threads come, would give other bits."""
    wanted = results(name)
    for order, seed in (("backward", 0), ("shuffled", 1), ("shuffled", 2), ("warp by warp", 0), ("forward", 0)):
        monkeypatch.setattr(launch, "load", in_order(order, emulator.load, seed))
        for a, b in zip(results(name), wanted, strict=True):
            np.testing.assert_array_equal(a, b)


@emulator.needs_compiler
@every_call
def test_every_number_is_written(name, monkeypatch):
    """New memory, which holds whatever lay there before, holds NaN here, or −1."""
    wanted = results(name)
    filled = []

    def empty(like, shape, dtype=None):
        kind = np.dtype(like.dtype if dtype is None else dtype)
        filled.append(kind)
        return np.full(shape, np.nan if kind.kind == "f" else -1, kind)

    for module in [module for key, module in sys.modules.items() if key.startswith("tinyres_kernels.gpu.")]:
        if hasattr(module, "empty"):
            monkeypatch.setattr(module, "empty", empty)
    for a, b in zip(results(name), wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    assert filled


def in_one_text(file, instead, included):
    """The file with all that it includes. instead: other texts for some of these files"""
    if file in included:
        return ""
    included.add(file)
    text = instead.get(file) or (FOLDER / file).read_text(encoding="utf-8")
    text = re.sub(r'#include "(.*)"', lambda found: in_one_text(found[1], instead, included), text)
    return text.replace("#pragma once", "")


def more_channels_than_at_once():
    return gpu.conv2d(draw(2, 70, 9, 8), draw(5, 70, 3, 3), (1, 1), (1, 1))


def more_tiles_than_blocks():
    return gpu.conv2d_grad_w(draw(30, 5, 9, 8), draw(30, 70, 9, 8), (5, 70, 3, 3), (1, 1), (1, 1))


@emulator.needs_compiler
@pytest.mark.parametrize(
    ("call", "source", "file", "barriers"),
    [
        (more_channels_than_at_once, "conv2d.cu", "conv2d.cu", (0, 1)),
        (more_tiles_than_blocks, "conv2d.cu", "conv2d.cu", (2, 3)),
        (more_tiles_than_blocks, "conv2d_add_up.cu", "conv2d_add_up.cu", (0,)),
        (lambda: results("batch_norm_statistics of vectors")[0], "batch_norm.cu", "channels.cuh", (0, 1)),
        (lambda: results("linear")[0], "linear.cu", "linear.cu", (0, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["float32", pytest.param("bf16", marks=pytest.mark.slow)])
def test_a_barrier_left_out_would_be_seen(call, source, file, barriers, kind, monkeypatch):
    """Planted: each barrier of a file in turn is taken out."""
    monkeypatch.setattr(sys.modules["tinyres_kernels.gpu.conv2d"], "ENOUGH_BLOCKS", 8)
    pieces = (FOLDER / file).read_text(encoding="utf-8").split("__syncthreads();")
    with using_products(kind):
        wanted = call()
        for k in barriers:
            less = "__syncthreads();".join([*pieces[:k], pieces[k] + ";" + pieces[k + 1], *pieces[k + 2 :]])
            text = in_one_text(source, {file: less}, set())
            equal = []

            def load(file, kernel, *defines, text=text):
                if file != source:
                    return emulator.load(file, kernel, *defines)
                return emulator.compiled(text, *defines).get_function(kernel)

            for order in emulator.ORDERS:
                with monkeypatch.context() as patch:
                    patch.setattr(launch, "load", in_order(order, load))
                    equal.append(np.array_equal(call(), wanted))
            assert not all(equal), f"{source}: nobody misses barrier {k}"


@emulator.needs_compiler
@pytest.mark.parametrize(("block", "shortcut"), [(BasicBlock, "A"), (Bottleneck, "B")])
def test_a_network_trains_the_same(block, shortcut, monkeypatch):
    """All gradients of a whole network, on these kernels and on array code: in float64 equal to rounding."""
    gradients = {}
    for rung in ("array", "gpu"):
        monkeypatch.setenv("TINYRES_KERNELS", rung)
        manual_seed(0)
        model = ResNet(partial(block, shortcut=shortcut), (2, 1), (4, 6), 3).double()
        images = Tensor(np.random.default_rng(0).standard_normal((2, 3, 6, 6)))
        F.cross_entropy(model(images), np.array([0, 2])).backward()
        gradients[rung] = {name: p.grad for name, p in model.named_parameters()}
    for name, gradient in gradients["array"].items():
        np.testing.assert_allclose(gradients["gpu"][name], gradient, rtol=1e-9, atol=1e-11, err_msg=name)


@pytest.fixture
def asked(monkeypatch):
    """What CuPy is asked for, in whose place the emulator comes: each kernel, with its module's arguments."""
    found = []

    def RawModule(**arguments):
        def get_function(name):
            found.append((name, arguments))
            return lambda *launched, **with_memory: None

        return SimpleNamespace(get_function=get_function)

    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(RawModule=RawModule))
    monkeypatch.setattr(launch, "load", load_with_cupy)
    load_with_cupy.cache_clear()
    yield found
    load_with_cupy.cache_clear()


def test_cupy_compiles_the_text_of_the_file(asked):
    gpu.relu(X)
    ((kernel, arguments),) = asked
    assert kernel == "relu"
    assert arguments["code"] == (FOLDER / "relu.cu").read_text(encoding="utf-8")
    assert {"--std=c++17", f"-I{FOLDER}", "-Dreal=float"} < set(arguments["options"])


def test_cupy_is_asked_once_for_each_kernel_and_dtype(asked):
    for _ in range(2):
        gpu.relu(X)
        gpu.relu_grad_x(X, X)
        gpu.relu(X.astype(np.float64))
    assert [kernel for kernel, _ in asked] == ["relu", "relu_grad_x", "relu"]


def test_an_edited_header_gives_other_options(tmp_path, monkeypatch):
    """CuPy would otherwise take what it compiled before the edit from its folder."""
    for path in FOLDER.glob("*.cuh"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(launch, "FOLDER", tmp_path)
    for path in sorted(tmp_path.iterdir()):
        before, text = launch.options("real=float"), path.read_bytes()
        path.write_bytes(text + b" ")
        assert launch.options("real=float") != before, path.name
        path.write_bytes(text)
        assert launch.options("real=float") == before


def test_an_array_beyond_32_bits_is_refused():
    with pytest.raises(ValueError, match=r"\(65536, 65536\) is too large for the GPU's kernels; use a smaller batch"):
        launch.empty(X, (65536, 65536))


def compiled(source, architecture, *defines):
    command = [NVCC, f"-arch={architecture}", "-cubin", "-std=c++17", *(f"-D{define}" for define in defines)]
    command += ["-Werror", "all-warnings", "-Xptxas", "-v", "-o", "/dev/null", str(source)]
    return subprocess.run(command, capture_output=True, text=True)


def variants_of(source):
    """What its launches ask for, the smallest and the largest of each kind; the last is what large layers take."""
    if source.stem != "conv2d":
        sizes = (8, 1), (16, 1), (16, 4), (32, 1), (32, 4)
        return [(f"real={real}", f"WIDTH={w}", f"VECTOR={v}") for real in ("double", "float") for w, v in sizes]
    kinds = ("real=double",), ("real=float",), ("real=float", "FACTOR=tf32"), ("real=float", "FACTOR=bf16")
    return [
        (*kind, f"PIXELS={pixels}", f"COLUMNS={columns}", f"CHUNK={chunk}", f"VECTOR={vector}")
        for kind in kinds
        for pixels, columns, chunk, vector in ((256, 16, 16, 1), (256, 16, 16, 4), (128, 32, 32, 4), (64, 32, 64, 4))
    ]


def assert_compiles(source, architecture, *defines):
    result = compiled(source, architecture, *defines)
    assert result.returncode == 0, result.stderr
    told = [line for line in result.stderr.splitlines() if "spill" in line]
    # An array that is indexed by what is not known when it is compiled would lie in memory, in a stack frame.
    assert told and all("0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in line for line in told), told


@pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_nvcc_compiles_it_without_warnings_and_without_spills(source):
    assert_compiles(source, "sm_90", *variants_of(source)[-1])


@pytest.mark.slow
@pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_nvcc_compiles_every_variant(source, architecture):
    for defines in variants_of(source):
        assert_compiles(source, architecture, *defines)


@pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")
def test_nvcc_would_tell(tmp_path):
    source = tmp_path / "unused.cu"
    source.write_text('extern "C" __global__ void f(int* y) { int unused = 1; }')
    assert "unused" in compiled(source, "sm_90", "real=float").stderr


ADDRESSES = """
import sys
import numpy as np
from cuda_on_cpu import emulator
from tinyres_kernels.gpu import launch

launch.load = lambda source, kernel, *defines: emulator.Module(
    (launch.FOLDER / source).read_text(encoding="utf-8").replace(*REPLACED), defines, ("-g", "-fsanitize=address")
).get_function(kernel)
from kernels.test_gpu import results
for name in sys.argv[1:]:
    results(name)
print("no address was wrong")
"""


def with_address_sanitizer(names, replaced=("", "")):
    """AddressSanitizer watches every access of those kernels; -> what it, or the program, printed."""
    runtime = subprocess.run(["g++", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    environment = {
        "PATH": "/usr/bin:/bin",
        "LD_PRELOAD": runtime,
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",
        "PYTHONPATH": ":".join(sys.path),
        "PYTHONMALLOC": "malloc",  # so that what lies beside an array is known to be nobody's
    }
    code = ADDRESSES.replace("REPLACED", repr(replaced))
    result = subprocess.run([sys.executable, "-c", code, *names], env=environment, capture_output=True, text=True)
    return result.stdout + result.stderr


@pytest.mark.slow
@emulator.needs_compiler
def test_no_address_is_wrong():
    assert "no address was wrong" in with_address_sanitizer(CALLS)


@pytest.mark.slow
@emulator.needs_compiler
def test_a_wrong_address_would_be_seen():
    report = with_address_sanitizer(["relu"], ("store(y, i", "store(y, 1 + i"))
    assert "AddressSanitizer: heap-buffer-overflow" in report and " in relu " in report
