"""As readers write them: ops of their own, ops that inherit, and functions over several ops."""

import numpy as np

from tinyres.autograd import Op
from tinyres.nn import functional as F
from tinyres.ops.batch_norm import BatchNorm
from tinyres.ops.conv2d import Conv2d
from wrong_backwards.wrong import WrongOp


class ReLUInverted(Op):
    def forward(self, x):
        self.saved = (x,)
        return np.maximum(x, 0)

    def backward(self, gy):
        (x,) = self.saved
        return np.where(x < 0, gy, 0)


class ReLUReturnsX(ReLUInverted):
    def backward(self, gy):
        (x,) = self.saved
        return (x > 0) * x


class BatchNormByHand(BatchNorm):
    """The derivation in steps, by way of dvar and dmean, with room for a mistake at each."""

    power, divisor = 3, True

    def backward(self, gy):
        x, mean, r, gamma = self.saved
        mean, r, gamma = (a.reshape(1, -1, 1, 1) for a in (mean, r, gamma))
        m = gy.size / gy.shape[1]
        dxhat = gy * gamma
        dvar = (dxhat * (x - mean) * -0.5 * r**self.power).sum((0, 2, 3), keepdims=True)
        dmean = (-dxhat * r).sum((0, 2, 3), keepdims=True)
        gx = dxhat * r + dvar * 2 * (x - mean) / (m if self.divisor else 1) + dmean / m
        return gx, (gy * (x - mean) * r).sum((0, 2, 3)), gy.sum((0, 2, 3))


class DvarNotDivided(BatchNormByHand):
    divisor = False


class DvarExponent(BatchNormByHand):
    power = 2


class GradientsSwapped(BatchNorm):
    def backward(self, gy):
        gx, ggamma, gbeta = super().backward(gy)
        return gx, gbeta, ggamma


class OneRow(BatchNorm):
    def backward(self, gy):
        gx, ggamma, _ = super().backward(gy)
        return gx, ggamma, gy[:, :, 0].sum((0, 2))


class KernelGradientAveraged(Conv2d):
    def backward(self, gy):
        gx, gw = super().backward(gy)
        return gx, gw / gy[:, 0].size


class BorderZero(Conv2d):
    def backward(self, gy):
        gx, gw = super().backward(gy)
        gx = gx.copy()
        gx[:, :, -1] = gx[:, :, :, -1] = 0
        return gx, gw


class KernelTransposed(Conv2d):
    def backward(self, gy):
        x, w = self.saved
        self.saved = x, w.transpose(0, 1, 3, 2)
        gradients = super().backward(gy)
        self.saved = x, w
        return gradients


class BiasOfOnePixel(Conv2d):
    def backward(self, gy):
        gx, gw, _ = super().backward(gy)
        return gx, gw, gy[:, :, 0, 0].sum(0)


class BiasNotOverTheBatch(Conv2d):
    def backward(self, gy):
        gx, gw, _ = super().backward(gy)
        return gx, gw, gy.sum((2, 3))


class CrossEntropy(Op):
    labels = np.array([1, 0, 2, 1])

    def forward(self, x):
        p = np.exp(x - x.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        self.saved = (p,)
        return -np.log(p[np.arange(len(p)), self.labels]).mean()


class WholeColumns(CrossEntropy):
    def backward(self, gy):
        (p,) = self.saved
        gx = p.copy()
        gx[:, self.labels] -= 1
        return gy * gx / len(p)


class DividedByClasses(CrossEntropy):
    def backward(self, gy):
        (p,) = self.saved
        gx = p.copy()
        gx[np.arange(len(p)), self.labels] -= 1
        return gy * gx / p.shape[1]


class Product(Op):
    def forward(self, x, w):
        self.saved = x, w
        return x @ w


class GwTransposed(Product):
    def backward(self, gy):
        x, w = self.saved
        return gy @ w.T, gy.T @ x


class OneGradient(Product):
    def backward(self, gy):
        _, w = self.saved
        return gy @ w.T


class AddBias(Op):
    def forward(self, x, b):
        return x + b


class BiasOverTheWrongAxis(AddBias):
    def backward(self, gy):
        return gy, gy.sum(1)


class BiasKeepsItsAxis(AddBias):
    def backward(self, gy):
        return gy, gy.sum(0, keepdims=True)


class Embedding(Op):
    rows = np.array([[0, 2], [2, 1]])

    def forward(self, w):
        self.saved = (w,)
        return w[self.rows]

    def backward(self, gy):
        (w,) = self.saved
        gw = np.zeros_like(w)
        gw[self.rows] += gy  # += with an index array adds only once
        return gw


class DropoutDrawnAgain(Op):
    def forward(self, x):
        return x * (np.random.default_rng(1).random(x.shape) > 0.3) / 0.7

    def backward(self, gy):
        return gy * (np.random.default_rng(2).random(gy.shape) > 0.3) / 0.7


class SinInSingle(Op):
    def forward(self, x):
        self.saved = (x.astype(np.float32),)
        return np.sin(x)

    def backward(self, gy):
        return gy * np.cos(self.saved[0])


class SinReturnsSingle(SinInSingle):
    def backward(self, gy):
        return (gy * np.cos(self.saved[0])).astype(np.float32)


class SavesNothing(Op):
    def forward(self, x):
        return np.exp(x)

    def backward(self, gy):
        (y,) = self.saved
        return gy * y


class PermuteAgain(Op):
    def forward(self, x):
        return x.transpose(2, 0, 1).copy()

    def backward(self, gy):
        return gy.transpose(2, 0, 1).copy()


class ReLUWithoutMask(Op):
    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, gy):
        return gy


class AddOneBranch(Op):
    def forward(self, a, b):
        return a + b

    def backward(self, gy):
        return gy, np.zeros_like(gy)


IMAGE, KERNEL = (2, 2, 5, 5), (3, 2, 3, 3)
NORM = ((3, 2, 4, 2), (2,), (2,))


def norm(op):
    return lambda x, gamma, beta: op(1e-5)(x, gamma, beta)


def conv(op, stride=1, padding=1):
    return lambda *inputs: op((stride, stride), (padding, padding))(*inputs)


def branch(x, w):
    return F.relu(F.conv2d(x, w, padding=1))


OPS = (
    WrongOp("relu: inverted", lambda x: ReLUInverted()(x), ((4, 5),), "mask inverted"),
    WrongOp("relu: returns x", lambda x: ReLUReturnsX()(x), ((4, 5),), "ignores_gy"),
    WrongOp("batch norm: dvar not divided", norm(DvarNotDivided), NORM, "variance not_divided 24"),
    WrongOp("batch norm: exponent in dvar", norm(DvarExponent), NORM, "variance divisor_`std`_is_missing"),
    WrongOp("batch norm: order of gradients", norm(GradientsSwapped), NORM, "swapped order", 1),
    WrongOp("batch norm: one row of gy", norm(OneRow), NORM, "row lost", 2),
    WrongOp("conv2d: gw averaged", conv(KernelGradientAveraged), (IMAGE, KERNEL), "averaged 50", 1),
    WrongOp("conv2d: border", conv(BorderZero, 2), (IMAGE, KERNEL), "last_row last_column 0"),
    WrongOp("conv2d: kernel transposed", conv(KernelTransposed), (IMAGE, KERNEL), "transposed input_1"),
    WrongOp("conv2d: gb of one pixel", conv(BiasOfOnePixel), (IMAGE, KERNEL, (3,)), "first_row first_column lost", 2),
    WrongOp("conv2d: gb over pixels", conv(BiasNotOverTheBatch), (IMAGE, KERNEL, (3,)), "(2,_3) (0,_2,_3) sum", 2),
    WrongOp("cross entropy: columns", lambda x: WholeColumns()(x), ((4, 3),), "one-hot np.arange"),
    WrongOp("cross entropy: classes", lambda x: DividedByClasses()(x), ((4, 3),), "divided_by_3 in_place_of_4"),
    WrongOp("linear: gw transposed", lambda x, w: GwTransposed()(x, w), ((5, 3), (3, 2)), "transposed", 1),
    WrongOp("linear: one gradient", lambda x, w: OneGradient()(x, w), ((5, 3), (3, 2)), "1_gradient 2_inputs", 1),
    WrongOp("bias: axis", lambda x, b: BiasOverTheWrongAxis()(x, b), ((5, 3), (3,)), "sum axis_(1,) axis_(0,)", 1),
    WrongOp("bias: square", lambda x, b: BiasOverTheWrongAxis()(x, b), ((4, 4), (4,)), "summed axis_1 axis_0", 1),
    WrongOp("bias: keepdims", lambda x, b: BiasKeepsItsAxis()(x, b), ((5, 3), (3,)), "keepdims", 1),
    WrongOp("embedding: +=", lambda w: Embedding()(w), ((4, 3),), "np.add.at overwritten"),
    WrongOp("dropout: drawn again", lambda x: DropoutDrawnAgain()(x), ((4, 5),), "another_mask"),
    WrongOp("sin: saved in float32", lambda x: SinInSingle()(x), ((3, 4),), "float32"),
    WrongOp("sin: returned in float32", lambda x: SinReturnsSingle()(x), ((3, 4),), "computed_in_float32"),
    WrongOp("exp: nothing saved", lambda x: SavesNothing()(x), ((3, 4),), "self.saved"),
    WrongOp("permute: again", lambda x: PermuteAgain()(x), ((2, 3, 4),), "transposed"),
    WrongOp("conv + relu: no mask", lambda x, w: ReLUWithoutMask()(F.conv2d(x, w)), (IMAGE, KERNEL), "mask"),
    WrongOp(
        "residual: branch lost", lambda x, w: AddOneBranch()(x, branch(x, w)), (IMAGE, (2, 2, 3, 3)), "branch residual"
    ),
    WrongOp(
        "residual: skip lost", lambda x, w: AddOneBranch()(branch(x, w), x), (IMAGE, (2, 2, 3, 3)), "skip accumulated"
    ),
)
