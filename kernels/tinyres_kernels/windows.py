"""How many windows fit: the arithmetic that convolution and pooling share."""

from tinyres_kernels.contract import Pair


def output_size(length: int, kernel: int, stride: int, padding: int, ceil_mode: bool = False) -> int:
    """How many windows of `kernel` values fit into `length` values with `padding` on both sides, `stride` apart.

    ⌊(length + 2·padding − kernel) / stride⌋ + 1. With ceil_mode a last window may hang over the far edge if it starts
    inside the input or in the padding before it.

        >>> output_size(32, kernel=3, stride=1, padding=1)
        32
        >>> output_size(6, kernel=3, stride=2, padding=0), output_size(6, kernel=3, stride=2, padding=0, ceil_mode=True)
        (2, 3)
    """
    room = length + 2 * padding - kernel
    if not ceil_mode:
        return room // stride + 1
    size = -(-room // stride) + 1
    return size - 1 if (size - 1) * stride >= length + padding else size


def output_sizes(
    size: tuple[int, ...], kernel: tuple[int, ...], stride: Pair, padding: Pair, ceil_mode: bool = False
) -> Pair:
    """(P, Q): how many windows fit down and across an image of that size (H, W)."""
    P, Q = (output_size(size[k], kernel[k], stride[k], padding[k], ceil_mode) for k in (0, 1))
    return P, Q
