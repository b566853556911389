"""numba's CUDA kernels in numba's simulator, which has to be chosen before numba is imported: in a fresh process."""

import os
import subprocess
import sys

import numpy as np

import tinyres_kernels.array as array
from tinyres_kernels import numba_cuda

# What runs in the simulator: (dtype, x shape, w shape, stride, padding). A block's tile is 16 × 16.
SETTINGS = [
    (np.float32, (2, 3, 5, 4), (5, 3, 3, 2), (2, 1), (1, 0)),
    (np.float64, (1, 2, 4, 4), (3, 2, 1, 1), (1, 1), (0, 0)),
    (np.float32, (1, 6, 2, 3), (17, 6, 3, 1), (1, 1), (2, 0)),
    (np.float64, (1, 1, 6, 5), (1, 1, 2, 3), (3, 2), (0, 3)),
]
PROGRAM = """
import sys
import numpy as np
sys.path[:0] = PATHS
from kernels.test_numba_cuda import SETTINGS, results
from numba import config
from tinyres_kernels import numba_cuda

assert config.ENABLE_CUDASIM
np.savez(sys.argv[1], *[y for k in range(len(SETTINGS)) for y in results(numba_cuda, k)])
"""


def results(rung, k):
    """y, gx and gw of that setting."""
    dtype, x_shape, w_shape, *windows = SETTINGS[k]
    draws = np.random.default_rng(k)
    x, w = (draws.standard_normal(shape).astype(dtype) for shape in (x_shape, w_shape))
    gy = draws.standard_normal(array.conv2d(x, w, *windows).shape).astype(dtype)
    return (
        rung.conv2d(x, w, *windows),
        rung.conv2d_grad_x(gy, w, x.shape, *windows),
        rung.conv2d_grad_w(gy, x, w.shape, *windows),
    )


def simulated(path):
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    program = PROGRAM.replace("PATHS", repr(sys.path))
    subprocess.run([sys.executable, "-c", program, str(path)], env=environment, check=True)
    return list(np.load(path).values())


def test_they_equal_array_code(tmp_path):
    actual = simulated(tmp_path / "results.npz")
    wanted = [y for k in range(len(SETTINGS)) for y in results(array, k)]
    for a, b in zip(actual, wanted, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        tolerance = 1e-5 if a.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_an_empty_batch_goes_to_the_rung_below():
    x, w = np.zeros((0, 2, 4, 4)), np.zeros((3, 2, 1, 1))
    y = numba_cuda.conv2d(x, w, (1, 1), (0, 0))
    assert y.shape == (0, 3, 4, 4)
    assert numba_cuda.conv2d_grad_x(y, w, x.shape, (1, 1), (0, 0)).shape == x.shape
    assert not numba_cuda.conv2d_grad_w(y, x, w.shape, (1, 1), (0, 0)).any()


NEWER_NUMPY = """
import sys
import warnings
import numpy as np
sys.path[:0] = PATHS

class Warns:
    def find_spec(name, *_):
        if name == "numba.cuda":
            warnings.warn("Using 'generic' unit for NumPy timedelta is deprecated", DeprecationWarning)

sys.meta_path.insert(0, Warns)
if hasattr(np, "row_stack"):
    del np.row_stack
import tinyres_kernels.numba_cuda
assert np.row_stack is np.vstack
"""


def test_it_loads_where_numpy_is_newer_than_numba_cuda():
    """NumPy 2.5 has no row_stack, and warns of what numba-cuda 0.30 does; here warnings are errors."""
    program = NEWER_NUMPY.replace("PATHS", repr(sys.path))
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    subprocess.run([sys.executable, "-W", "error::DeprecationWarning", "-c", program], env=environment, check=True)
