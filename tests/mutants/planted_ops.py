"""Mistakes in the ops' own pages: tinyres/ops."""

from mutants.mutant import Planted

OPS = (
    # ---- a sign, a factor or a term ----
    Planted("exp: the factor y is missing", "tinyres.ops.exp", "return gy * y", "return gy * 1"),
    Planted("log: a small eps where none belongs", "tinyres.ops.log", "return gy / x", "return gy / (x + 1e-6)"),
    Planted("sqrt: twice the gradient", "tinyres.ops.sqrt", "gy / (2 * y)", "gy / y"),
    Planted("tanh: the square is forgotten", "tinyres.ops.tanh", "(1 - y * y)", "(1 - y)"),
    Planted("sigmoid: 1 + y instead of 1 − y", "tinyres.ops.sigmoid", "y * (1 - y)", "y * (1 + y)"),
    Planted("power: the exponent is not lowered", "tinyres.ops.power", "x ** (p - 1)", "x**p"),
    Planted("power: p = 0 is not apart", "tinyres.ops.power", " if p != 0 else gy * 0", ""),
    Planted("subtract: the sign of gb", "tinyres.ops.subtract", "sum_to(-gy,", "sum_to(gy,"),
    Planted(
        "multiply: ga has the wrong side as its factor", "tinyres.ops.multiply", "sum_to(gy * b,", "sum_to(gy * a,"
    ),
    Planted("divide: the sign of gb", "tinyres.ops.divide", "sum_to(-gy * a", "sum_to(gy * a"),
    Planted("divide: b once instead of squared", "tinyres.ops.divide", "/ (b * b)", "/ b"),
    Planted("mse_loss: the target's gradient has the input's sign", "tinyres.ops.mse_loss", "gx, -gx", "gx, gx"),
    Planted("softmax: Σ gy instead of Σ gy·y", "tinyres.ops.softmax", "(gy * y).sum(", "gy.sum("),
    Planted(
        "log_softmax: right only where gy sums to 1",
        "tinyres.ops.log_softmax",
        "np.exp(y) * gy.sum(self.dim, keepdims=True)",
        "np.exp(y)",
    ),
    Planted(
        "cross_entropy: p + t instead of p − t", "tinyres_kernels.array.cross_entropy", "(p - wanted", "(p + wanted"
    ),
    Planted(
        "cross_entropy: smoothing shared among K − 1 classes",
        "tinyres_kernels.array.cross_entropy",
        "smoothing / K)",
        "smoothing / (K - 1))",
    ),
    Planted("dropout: backward lets everything through", "tinyres.ops.dropout", "return gy * scale", "return gy"),
    Planted(
        "batch_norm_eval: gx without gamma",
        "tinyres.ops.batch_norm_eval",
        "as_column(gamma * r, gy)",
        "as_column(r, gy)",
    ),
    # ---- overflow ----
    Planted(
        "sigmoid: the formula as in the book, which overflows",
        "tinyres.ops.sigmoid",
        "(np.tanh(x * 0.5) + 1) * 0.5",
        "1 / (1 + np.exp(-x))",
    ),
    Planted("softmax: not shifted, so it overflows", "tinyres.ops.softmax", "x - x.max(self.dim, keepdims=True)", "x"),
    Planted(
        "cross_entropy: not shifted, so it overflows",
        "tinyres_kernels.array.cross_entropy",
        "x - x.max(1, keepdims=True)",
        "x",
    ),
    # ---- axes, shapes, places ----
    Planted(
        "add: gb is not summed over what broadcasting repeated", "tinyres.ops.add", "sum_to(gy, self.inputs[1])", "gy"
    ),
    Planted("broadcast: the mean over what was repeated", "tinyres.ops.broadcast", "gy.sum(axis=", "gy.mean(axis="),
    Planted("broadcast: the new axes are not counted", "tinyres.ops.broadcast", "[new + axis for", "[axis for"),
    Planted(
        "matmul: .T, which is right for two axes alone", "tinyres.ops.matmul", "gy @ b.swapaxes(-1, -2)", "gy @ b.T"
    ),
    Planted("linear: gb from the first row alone", "tinyres_kernels.array.linear", "gy.sum(0)", "gy[0]"),
    Planted("conv2d: gb is a mean", "tinyres.ops.conv2d", "gy.sum((0, 2, 3))", "gy.mean((0, 2, 3))"),
    Planted(
        "conv2d: gw with the strides exchanged",
        "tinyres.ops.conv2d",
        "conv2d_grad_w(gy, x, w.shape, self.stride,",
        "conv2d_grad_w(gy, x, w.shape, self.stride[::-1],",
    ),
    Planted(
        "conv2d: gx with the paddings exchanged",
        "tinyres.ops.conv2d",
        "conv2d_grad_x(gy, w, x.shape, self.stride, self.padding)",
        "conv2d_grad_x(gy, w, x.shape, self.stride, self.padding[::-1])",
    ),
    Planted(
        "max_pool2d: backward takes the kernel's size for the stride",
        "tinyres.ops.max_pool2d",
        "shape, self.kernel, self.stride,",
        "shape, self.kernel, self.kernel,",
    ),
    Planted(
        "avg_pool2d: backward always counts the padding",
        "tinyres.ops.avg_pool2d",
        "gy, shape, self.kernel, self.stride, self.padding, self.count_include_pad",
        "gy, shape, self.kernel, self.stride, self.padding, True",
    ),
    Planted(
        "adaptive_avg_pool2d: a window's end rounded down",
        "tinyres.ops.adaptive_avg_pool2d",
        "-(-(p + 1) * length // size)",
        "(p + 1) * length // size",
    ),
    Planted(
        "adaptive_avg_pool2d: all windows weighted alike",
        "tinyres.ops.adaptive_avg_pool2d",
        "1 / (stop - start)",
        "size / length",
    ),
    Planted(
        "interpolate: rows and columns exchanged in backward",
        "tinyres.ops.interpolate",
        "A.T @ gy @ B",
        "(B.T @ gy.swapaxes(2, 3) @ A).swapaxes(2, 3).reshape(self.inputs[0].shape[::-1]).T",
    ),
    Planted("pad: the first widths go to the first axis", "tinyres.ops.pad", "given[::-1]", "given"),
    Planted(
        "cat: backward splits along the first axis",
        "tinyres.ops.cat",
        "np.split(gy, ends, axis=self.dim)",
        "np.split(gy, ends, axis=0)",
    ),
    Planted(
        "cat: backward takes the lengths in reverse",
        "tinyres.ops.cat",
        "for x in xs)\n        return np",
        "for x in xs[::-1])\n        return np",
    ),
    Planted(
        "reshape: gx in another order",
        "tinyres.ops.reshape",
        "gy.reshape(self.inputs[0].shape)",
        "gy.reshape(self.inputs[0].shape, order='F')",
    ),
    Planted(
        "transpose: the permutation instead of its inverse",
        "tinyres.ops.transpose",
        "np.argsort(self.dims)",
        "self.dims",
    ),
    Planted(
        "slice: a place read twice gets one gradient",
        "tinyres.ops.slice",
        "np.add.at(gx, self.index, gy)",
        "gx[self.index] = gy",
    ),
    Planted(
        "mean: divided by the first axis alone", "tinyres.ops.mean", "gy / count", "gy / (shape[0] if shape else 1)"
    ),
    Planted(
        "sum: gy shared out, as for a mean",
        "tinyres.ops.sum",
        "gy.reshape(kept), shape)",
        "gy.reshape(kept) / shape[dims[0]] if dims else gy, shape)",
    ),
    # ---- batch norm's pages ----
    Planted(
        "batch_norm: eps outside the root",
        "tinyres_kernels.array.batch_norm",
        "1 / np.sqrt(var + eps)",
        "1 / (np.sqrt(var) + eps)",
    ),
    Planted(
        "batch_norm: gamma's gradient for beta's",
        "tinyres.ops.batch_norm",
        "return gx, ggamma, gbeta",
        "return gx, gbeta, ggamma",
    ),
    Planted(
        "batch_norm_relu: eps forgotten",
        "tinyres.ops.batch_norm_relu",
        "batch_norm_statistics(x, self.eps)",
        "batch_norm_statistics(x, 0.0)",
    ),
    Planted(
        "batch_norm_relu: the two sums exchanged",
        "tinyres.ops.batch_norm_relu",
        "sums(gbeta, ggamma)",
        "sums(ggamma, gbeta)",
    ),
    Planted(
        "batch_norm_add_relu: no gate before the shortcut",
        "tinyres.ops.batch_norm_add_relu",
        "return gx, g, ggamma",
        "return gx, gy, ggamma",
    ),
    Planted(
        "batch_norm_add_relu: no gate before the branch",
        "tinyres.ops.batch_norm_add_relu",
        "batch_norm_grad_x(g, x,",
        "batch_norm_grad_x(gy, x,",
    ),
    Planted(
        "batch_norm_relu_eval: the gate is open at 0",
        "tinyres.ops.batch_norm_relu_eval",
        "gy * (y > 0)",
        "gy * (y >= 0)",
    ),
    # ---- writing where one must not ----
    Planted(
        "relu: backward writes into gy",
        "tinyres.ops.relu",
        "return kernels_for(gy).relu_grad_x(gy, y)",
        "gy *= y > 0\n        return gy",
    ),
    Planted(
        "mse_loss: backward writes into gy",
        "tinyres.ops.mse_loss",
        "gx = gy * 2 * error",
        "gx = gy\n        gx *= 2 * error",
    ),
    Planted(
        "batch_norm_relu_eval: backward writes into gy",
        "tinyres.ops.batch_norm_relu_eval",
        "g = gy * (y > 0)",
        "g = gy\n        g *= y > 0",
    ),
    Planted(
        "tanh: backward writes into what was saved",
        "tinyres.ops.tanh",
        "return gy * (1 - y * y)",
        "y *= y\n        return gy * (1 - y)",
    ),
    Planted("exp: forward writes into x", "tinyres.ops.exp", "np.exp(x)", "np.exp(x, out=x)"),
    # ---- dtypes ----
    Planted(
        "broadcast: a gradient in gy's dtype, not its tensor's",
        "tinyres.ops.broadcast",
        "gy.astype(x.dtype, copy=False)",
        "gy",
    ),
    Planted(
        "broadcast: integers beside float32 make float64",
        "tinyres.ops.broadcast",
        "astype(other.dtype)",
        "astype('float64')",
    ),
    Planted(
        "exp: half the digits, for float32 alone",
        "tinyres.ops.exp",
        "np.exp(x)",
        "np.exp(x if x.dtype == np.float64 else x.astype(np.float16)).astype(x.dtype)",
    ),
    Planted(
        "to: gx stays in y's dtype",
        "tinyres.ops.to",
        "to_device(gy, device).astype(dtype, copy=False)",
        "to_device(gy, device)",
    ),
    # ---- work that nobody asked for ----
    Planted(
        "conv2d: gx is computed though nobody needs it",
        "tinyres.ops.conv2d",
        "self.stride, self.padding) if self.needs[0] else None",
        "self.stride, self.padding)",
    ),
)
