"""Mistakes in the ops' own pages: tinyres/ops."""

from mutants.mutant import Planted

OPS = (
    # ---- a sign, a factor or a term ----
    Planted("exp: the factor y is missing", "Exp.backward", "return gy * y", "return gy * 1"),
    Planted("log: a small eps where none belongs", "Log.backward", "return gy / x", "return gy / (x + 1e-6)"),
    Planted("sqrt: twice the gradient", "Sqrt.backward", "gy / (2 * y)", "gy / y"),
    Planted("tanh: the square is forgotten", "Tanh.backward", "(1 - y * y)", "(1 - y)"),
    Planted("sigmoid: 1 + y instead of 1 − y", "Sigmoid.backward", "1 - y", "1 + y"),
    Planted("power: the exponent is not lowered", "Power.backward", "x ** (p - 1)", "x**p"),
    Planted(
        "power: p = 0 gets no case of its own",
        "Power.backward",
        "gy * p * x ** (p - 1) if p != 0 else gy * 0",
        "gy * p * x ** (p - 1)",
    ),
    Planted("subtract: the sign of gb", "Subtract.backward", "-gy", "gy"),
    Planted("multiply: ga has the wrong side as its factor", "Multiply.backward", "gy * b", "gy * a"),
    Planted("divide: the sign of gb", "Divide.backward", "-gy", "gy"),
    Planted("divide: b once instead of squared", "Divide.backward", "b * b", "b"),
    Planted("mse_loss: the target's gradient has the input's sign", "MSELoss.backward", "gx, -gx", "gx, gx"),
    Planted("softmax: Σ gy instead of Σ gy·y", "Softmax.backward", "gy * y", "gy"),
    Planted(
        "log_softmax: right only where gy sums to 1",
        "LogSoftmax.backward",
        "np.exp(y) * gy.sum(self.dim, keepdims=True)",
        "np.exp(y)",
    ),
    Planted(
        "cross_entropy: p + t instead of p − t",
        "array.cross_entropy_grad_x",
        "p - wanted(p, labels, smoothing)",
        "p + wanted(p, labels, smoothing)",
    ),
    Planted(
        "cross_entropy: smoothing shared among K − 1 classes", "array.wanted", "smoothing / K", "smoothing / (K - 1)"
    ),
    Planted("dropout: backward lets everything through", "Dropout.backward", "return gy * scale", "return gy"),
    Planted(
        "batch_norm_eval: gx without gamma", "BatchNormEval.backward", "as_column(gamma * r, gy)", "as_column(r, gy)"
    ),
    # ---- overflow ----
    Planted(
        "sigmoid: the formula as in the book, which overflows",
        "Sigmoid.forward",
        "(np.tanh(x * 0.5) + 1) * 0.5",
        "1 / (1 + np.exp(-x))",
    ),
    Planted("softmax: not shifted, so it overflows", "Softmax.forward", "x - x.max(self.dim, keepdims=True)", "x"),
    Planted("cross_entropy: not shifted, so it overflows", "array.cross_entropy", "x - x.max(1, keepdims=True)", "x"),
    # ---- axes, shapes, places ----
    Planted(
        "add: gb is not summed over what broadcasting repeated", "Add.backward", "sum_to(gy, self.inputs[1])", "gy"
    ),
    Planted("broadcast: the mean over what was repeated", "sum_to", "gy.sum", "gy.mean"),
    Planted(
        "broadcast: the new axes are not counted",
        "sum_to",
        "[new + axis for axis, length in enumerate(x.shape) if length == 1 and gy.shape[new + axis] != 1]",
        "[axis for axis, length in enumerate(x.shape) if length == 1 and gy.shape[new + axis] != 1]",
    ),
    Planted("matmul: .T, which is right for two axes only", "Matmul.backward", "gy @ b.swapaxes(-1, -2)", "gy @ b.T"),
    Planted("linear: gb from the first row only", "array.linear_grad_b", "gy.sum(0)", "gy[0]"),
    Planted("conv2d: gb is a mean", "Conv2d.backward", "gy.sum((0, 2, 3))", "gy.mean((0, 2, 3))"),
    Planted(
        "conv2d: gw with the strides exchanged",
        "Conv2d.backward",
        "kernels.conv2d_grad_w(gy, x, w.shape, self.stride, self.padding)",
        "kernels.conv2d_grad_w(gy, x, w.shape, self.stride[::-1], self.padding)",
    ),
    Planted(
        "conv2d: gx with the paddings exchanged",
        "Conv2d.backward",
        "kernels.conv2d_grad_x(gy, w, x.shape, self.stride, self.padding)",
        "kernels.conv2d_grad_x(gy, w, x.shape, self.stride, self.padding[::-1])",
    ),
    Planted(
        "max_pool2d: backward takes the kernel's size for the stride",
        "MaxPool2d.backward",
        "self.stride",
        "self.kernel",
    ),
    Planted("avg_pool2d: backward always counts the padding", "AvgPool2d.backward", "self.count_include_pad", "True"),
    Planted(
        "adaptive_avg_pool2d: a window's end rounded down",
        "averaging",
        "-(-(p + 1) * length // size)",
        "(p + 1) * length // size",
    ),
    Planted("adaptive_avg_pool2d: all windows weighted alike", "averaging", "1 / (stop - start)", "size / length"),
    Planted(
        "interpolate: rows and columns exchanged in backward",
        "Interpolate.backward",
        "A.T @ gy @ B",
        "(B.T @ gy.swapaxes(2, 3) @ A).swapaxes(2, 3).reshape(self.inputs[0].shape[::-1]).T",
    ),
    Planted("pad: the first widths go to the first axis", "pad", "given[::-1]", "given"),
    Planted(
        "cat: backward splits along the first axis",
        "Cat.backward",
        "np.split(gy, ends, axis=self.dim)",
        "np.split(gy, ends, axis=0)",
    ),
    Planted(
        "cat: backward takes the lengths in reverse",
        "Cat.forward",
        "tuple(x.shape[self.dim] for x in xs)",
        "tuple(x.shape[self.dim] for x in xs[::-1])",
    ),
    Planted(
        "reshape: gx in another order",
        "Reshape.backward",
        "gy.reshape(self.inputs[0].shape)",
        "gy.reshape(self.inputs[0].shape, order='F')",
    ),
    Planted(
        "transpose: the permutation instead of its inverse", "Transpose.backward", "np.argsort(self.dims)", "self.dims"
    ),
    Planted(
        "slice: a place read twice gets one gradient",
        "Slice.backward",
        "np.add.at(gx, self.index, gy)",
        "gx[self.index] = gy",
    ),
    Planted(
        "mean: divided by the length of the first axis only",
        "Mean.backward",
        "gy / count",
        "gy / (shape[0] if shape else 1)",
    ),
    Planted(
        "sum: gy shared out, as for a mean",
        "repeat_along",
        "gy.reshape(kept)",
        "gy.reshape(kept) / shape[dims[0]] if dims else gy",
    ),
    # ---- batch norm's pages ----
    Planted(
        "batch_norm: eps outside the root",
        "array.batch_norm_statistics",
        "1 / np.sqrt(var + eps)",
        "1 / (np.sqrt(var) + eps)",
    ),
    Planted(
        "batch_norm: gamma's gradient for beta's",
        "BatchNorm.backward",
        "return gx, ggamma, gbeta",
        "return gx, gbeta, ggamma",
    ),
    Planted(
        "batch_norm_relu: eps forgotten",
        "BatchNormReLU.forward",
        "kernels.batch_norm_statistics(x, self.eps)",
        "kernels.batch_norm_statistics(x, 0.0)",
    ),
    Planted(
        "batch_norm_relu: the two sums exchanged",
        "BatchNormReLU.backward",
        "kernels.batch_norm_relu_grad_x(gy, x, mean, r, gamma, beta, gbeta, ggamma)",
        "kernels.batch_norm_relu_grad_x(gy, x, mean, r, gamma, beta, ggamma, gbeta)",
    ),
    Planted(
        "batch_norm_add_relu: no gate before the shortcut",
        "BatchNormAddReLU.backward",
        "return gx, g, ggamma, gbeta",
        "return gx, gy, ggamma, gbeta",
    ),
    Planted(
        "batch_norm_add_relu: no gate before the branch",
        "BatchNormAddReLU.backward",
        "kernels.batch_norm_grad_x(g, x, mean, r, gamma, gbeta, ggamma)",
        "kernels.batch_norm_grad_x(gy, x, mean, r, gamma, gbeta, ggamma)",
    ),
    Planted(
        "batch_norm_relu_eval: the gate is open at 0", "BatchNormReLUEval.backward", "gy * (y > 0)", "gy * (y >= 0)"
    ),
    # ---- writing where one must not ----
    Planted(
        "relu: backward writes into gy",
        "ReLU.backward",
        "return kernels_for(gy).relu_grad_x(gy, y)",
        "gy *= y > 0; return gy",
    ),
    Planted("mse_loss: backward writes into gy", "MSELoss.backward", "gx = gy * 2 * error", "gx = gy; gx *= 2 * error"),
    Planted(
        "batch_norm_relu_eval: backward writes into gy",
        "BatchNormReLUEval.backward",
        "g = gy * (y > 0)",
        "g = gy; g *= y > 0",
    ),
    Planted(
        "tanh: backward writes into what was saved",
        "Tanh.backward",
        "return gy * (1 - y * y)",
        "y *= y; return gy * (1 - y)",
    ),
    Planted("exp: forward writes into x", "Exp.forward", "np.exp(x)", "np.exp(x, out=x)"),
    # ---- dtypes ----
    Planted("broadcast: a gradient in gy's dtype, not its tensor's", "sum_to", "gy.astype(x.dtype, copy=False)", "gy"),
    Planted(
        "broadcast: integers beside float32 make float64",
        "ops._beside",
        "x.data.astype(other.dtype)",
        'x.data.astype("float64")',
    ),
    Planted(
        "exp: half the digits, for float32 only",
        "Exp.forward",
        "np.exp(x)",
        "np.exp(x if x.dtype == np.float64 else x.astype(np.float16)).astype(x.dtype)",
    ),
    Planted(
        "to: gx stays in y's dtype",
        "To.backward",
        "to_device(gy, device).astype(dtype, copy=False)",
        "to_device(gy, device)",
    ),
    # ---- work that nobody asked for ----
    Planted(
        "conv2d: gx is computed though nobody needs it",
        "Conv2d.backward",
        "kernels.conv2d_grad_x(gy, w, x.shape, self.stride, self.padding) if self.needs[0] else None",
        "kernels.conv2d_grad_x(gy, w, x.shape, self.stride, self.padding)",
    ),
)
