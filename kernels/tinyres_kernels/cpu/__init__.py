"""Compiled kernels for the processor, with numba. What they do not cover goes to the rung below, `array/`."""

from tinyres_kernels.array.avg_pool2d import avg_pool2d as avg_pool2d
from tinyres_kernels.array.avg_pool2d import avg_pool2d_grad_x as avg_pool2d_grad_x
from tinyres_kernels.array.max_pool2d import max_pool2d as max_pool2d
from tinyres_kernels.array.max_pool2d import max_pool2d_grad_x as max_pool2d_grad_x
from tinyres_kernels.cpu.conv2d import conv2d as conv2d
from tinyres_kernels.cpu.conv2d import conv2d_grad_w as conv2d_grad_w
from tinyres_kernels.cpu.conv2d import conv2d_grad_x as conv2d_grad_x
