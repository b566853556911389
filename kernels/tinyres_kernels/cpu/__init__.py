"""Kernels for the processor, compiled by numba. What they do not cover goes to the rung below, `array/`."""

import os

# How threads wait for work; OpenMP reads it when numba loads it. By default they spin for long and hold the core while
# other programs want it: beside a second busy program on two cores, a ResNet-20 step took 2.8 s instead of 0.5 s. If
# they slept at once, they would have to be woken some 200 times a step. So they spin 2,000 times, 0.1 ms at most, about
# the pause between two kernels: 6 % faster than not spinning on a quiet machine, 8 % slower beside another program.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "passive"
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

from tinyres_kernels.array.batch_norm import batch_norm_track as batch_norm_track
from tinyres_kernels.array.batch_norm import batch_norm_values as batch_norm_values
from tinyres_kernels.array.cross_entropy import cross_entropy as cross_entropy
from tinyres_kernels.array.cross_entropy import cross_entropy_grad_x as cross_entropy_grad_x
from tinyres_kernels.array.linear import linear as linear
from tinyres_kernels.array.linear import linear_grad_b as linear_grad_b
from tinyres_kernels.array.linear import linear_grad_w as linear_grad_w
from tinyres_kernels.array.linear import linear_grad_x as linear_grad_x
from tinyres_kernels.array.spread import spread as spread
from tinyres_kernels.cpu.add import add as add
from tinyres_kernels.cpu.avg_pool2d import avg_pool2d as avg_pool2d
from tinyres_kernels.cpu.avg_pool2d import avg_pool2d_grad_x as avg_pool2d_grad_x
from tinyres_kernels.cpu.batch_norm import batch_norm as batch_norm
from tinyres_kernels.cpu.batch_norm import batch_norm_grad_sums as batch_norm_grad_sums
from tinyres_kernels.cpu.batch_norm import batch_norm_grad_x as batch_norm_grad_x
from tinyres_kernels.cpu.batch_norm import batch_norm_statistics as batch_norm_statistics
from tinyres_kernels.cpu.batch_norm_add_relu import batch_norm_add_relu as batch_norm_add_relu
from tinyres_kernels.cpu.batch_norm_add_relu import batch_norm_add_relu_grad_sums as batch_norm_add_relu_grad_sums
from tinyres_kernels.cpu.batch_norm_relu import batch_norm_relu as batch_norm_relu
from tinyres_kernels.cpu.batch_norm_relu import batch_norm_relu_grad_sums as batch_norm_relu_grad_sums
from tinyres_kernels.cpu.batch_norm_relu import batch_norm_relu_grad_x as batch_norm_relu_grad_x
from tinyres_kernels.cpu.conv2d import conv2d as conv2d
from tinyres_kernels.cpu.conv2d import conv2d_grad_w as conv2d_grad_w
from tinyres_kernels.cpu.conv2d import conv2d_grad_x as conv2d_grad_x
from tinyres_kernels.cpu.max_pool2d import max_pool2d as max_pool2d
from tinyres_kernels.cpu.max_pool2d import max_pool2d_grad_x as max_pool2d_grad_x
from tinyres_kernels.cpu.relu import relu as relu
from tinyres_kernels.cpu.relu import relu_grad_x as relu_grad_x
