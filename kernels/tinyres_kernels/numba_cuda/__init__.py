"""Convolution for a GPU in Python, compiled by numba: the readable rung. All else is the rung below, `array/`."""

import warnings

import numpy as np

if not hasattr(np, "row_stack"):  # numba-cuda (0.30) needs it to load, and NumPy 2.5 no longer has it
    np.row_stack = np.vstack
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # and it makes a time without a unit, of which NumPy 2.5 warns
    import numba.cuda  # noqa: F401

from tinyres_kernels.array.add import add as add
from tinyres_kernels.array.avg_pool2d import avg_pool2d as avg_pool2d
from tinyres_kernels.array.avg_pool2d import avg_pool2d_grad_x as avg_pool2d_grad_x
from tinyres_kernels.array.batch_norm import batch_norm as batch_norm
from tinyres_kernels.array.batch_norm import batch_norm_grad_sums as batch_norm_grad_sums
from tinyres_kernels.array.batch_norm import batch_norm_grad_x as batch_norm_grad_x
from tinyres_kernels.array.batch_norm import batch_norm_statistics as batch_norm_statistics
from tinyres_kernels.array.batch_norm import batch_norm_track as batch_norm_track
from tinyres_kernels.array.batch_norm import batch_norm_values as batch_norm_values
from tinyres_kernels.array.batch_norm_add_relu import batch_norm_add_relu as batch_norm_add_relu
from tinyres_kernels.array.batch_norm_add_relu import batch_norm_add_relu_grad_sums as batch_norm_add_relu_grad_sums
from tinyres_kernels.array.batch_norm_relu import batch_norm_relu as batch_norm_relu
from tinyres_kernels.array.batch_norm_relu import batch_norm_relu_grad_sums as batch_norm_relu_grad_sums
from tinyres_kernels.array.batch_norm_relu import batch_norm_relu_grad_x as batch_norm_relu_grad_x
from tinyres_kernels.array.cross_entropy import cross_entropy as cross_entropy
from tinyres_kernels.array.cross_entropy import cross_entropy_grad_x as cross_entropy_grad_x
from tinyres_kernels.array.linear import linear as linear
from tinyres_kernels.array.linear import linear_grad_b as linear_grad_b
from tinyres_kernels.array.linear import linear_grad_w as linear_grad_w
from tinyres_kernels.array.linear import linear_grad_x as linear_grad_x
from tinyres_kernels.array.max_pool2d import max_pool2d as max_pool2d
from tinyres_kernels.array.max_pool2d import max_pool2d_grad_x as max_pool2d_grad_x
from tinyres_kernels.array.relu import relu as relu
from tinyres_kernels.array.relu import relu_grad_x as relu_grad_x
from tinyres_kernels.array.spread import spread as spread
from tinyres_kernels.numba_cuda.conv2d import conv2d as conv2d
from tinyres_kernels.numba_cuda.conv2d import conv2d_grad_w as conv2d_grad_w
from tinyres_kernels.numba_cuda.conv2d import conv2d_grad_x as conv2d_grad_x
