"""The squared error."""

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats
from tinyres.ops.cross_entropy import reduced


class MSELoss(Op):
    r"""y = (x − t)², element by element

    gx = gy · 2(x − t)    gt = −gx
    """

    def forward(self, x: Array, t: Array) -> Array:
        self.saved = (x - t,)
        return self.saved[0] ** 2

    def backward(self, gy: Array) -> tuple[Array, Array]:
        (error,) = self.saved
        gx = gy * 2 * error
        return gx, -gx


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The mean of (input − target)² over all elements; or their sum; or with reduction="none" each of them."""
    expect_floats("mse_loss", input=input, target=target)
    if input.shape != target.shape:
        raise ValueError(f"mse_loss: expected input and target of one shape, got {input.shape} and {target.shape}")
    return reduced("mse_loss", MSELoss()(input, target), reduction)
