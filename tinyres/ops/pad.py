"""y = x with a border of one value."""

from collections.abc import Sequence

from tinyres.autograd import Array, Op, Tensor
from tinyres.device import kernels_for
from tinyres.ops.checks import expect_floats


class Pad(Op):
    r"""y is x inside a border.        widths: ((before, after), …) for every axis

    gx = gy without the border: a constant has no gradient.
    """

    def __init__(self, widths: tuple[tuple[int, int], ...], value: float):
        self.widths, self.value = widths, value

    def forward(self, x: Array) -> Array:
        shape = tuple(before + size + after for size, (before, after) in zip(x.shape, self.widths, strict=True))
        first = tuple(before for before, _ in self.widths)
        return kernels_for(x).spread(x, shape, first, (1,) * x.ndim, self.value)

    def backward(self, gy: Array) -> Array:
        return gy[self.inside(gy.shape)]

    def inside(self, shape: tuple[int, ...]) -> tuple[slice, ...]:
        """The place of x in y."""
        return tuple(slice(before, size - after) for size, (before, after) in zip(shape, self.widths, strict=True))


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """input with a border, in torch's order: pad = (left, right, top, bottom, …), from the last axis backwards.

    `F.pad(input, (0, 0, 0, 0, 0, 16))` appends 16 channels of zeros to (N, C, H, W): shortcut option A.
    """
    expect_floats("pad", input=input)
    if mode != "constant":
        raise ValueError(f"pad: only mode='constant' is supported, got {mode!r}")
    if len(pad) % 2 or len(pad) > 2 * input.ndim or any(width < 0 for width in pad):
        raise ValueError(f"pad: expected pairs of widths, 0 or more, for up to {input.ndim} axes, got {tuple(pad)}")
    given = [(pad[k], pad[k + 1]) for k in range(0, len(pad), 2)]  # last axis first
    widths = [(0, 0)] * (input.ndim - len(given)) + given[::-1]
    return Pad(tuple(widths), value)(input)
