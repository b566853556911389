"""y = max(x, 0)."""

from tinyres.autograd import Array, Op, Tensor
from tinyres.device import kernels_for
from tinyres.ops.checks import expect_floats


class ReLU(Op):
    r"""y = max(x, 0)

    gx = gy where x > 0, and 0 elsewhere

    A gate, not a factor: where it is open the gradient passes unchanged, so ReLUs do not make it vanish as sigmoids
    do. At x = 0 the slope jumps from 0 to 1; like torch we take 0. Saved: y alone, since y > 0 exactly where x > 0.
    """

    def forward(self, x: Array) -> Array:
        y = kernels_for(x).relu(x)
        self.saved = (y,)
        return y

    def backward(self, gy: Array) -> Array:
        (y,) = self.saved
        return kernels_for(gy).relu_grad_x(gy, y)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0), element by element. `inplace` is accepted and changes nothing: an op never writes its input."""
    expect_floats("relu", input=input)
    return ReLU()(input)


Tensor.relu = relu
