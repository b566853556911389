"""Loops: the definition of every kernel. Slow on purpose, and right where you can see it."""

from tinyres_kernels.reference.avg_pool2d import avg_pool2d as avg_pool2d
from tinyres_kernels.reference.avg_pool2d import avg_pool2d_grad_x as avg_pool2d_grad_x
from tinyres_kernels.reference.conv2d import conv2d as conv2d
from tinyres_kernels.reference.conv2d import conv2d_grad_w as conv2d_grad_w
from tinyres_kernels.reference.conv2d import conv2d_grad_x as conv2d_grad_x
from tinyres_kernels.reference.max_pool2d import max_pool2d as max_pool2d
from tinyres_kernels.reference.max_pool2d import max_pool2d_grad_x as max_pool2d_grad_x
