"""What max and average pooling share: which places of a window lie inside the image."""

from __future__ import annotations

from tinyres_kernels.cpu.cache import compiled


@compiled
def window(p, q, size, kernel, stride, padding):
    """Where window (p, q) begins in an image of that size (H, W), and its places inside: (top, left, rows, columns)"""
    top, left = p * stride[0] - padding[0], q * stride[1] - padding[1]
    rows = range(max(0, -top), min(kernel[0], size[0] - top))
    columns = range(max(0, -left), min(kernel[1], size[1] - left))
    return top, left, rows, columns
