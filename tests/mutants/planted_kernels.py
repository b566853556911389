"""Mistakes in kernels that are array code or loops: the rungs array/ and reference/."""

from mutants.mutant import Planted

ARRAY = "tinyres_kernels.array"
REFERENCE = "tinyres_kernels.reference"

KERNELS = (
    # ---- convolution ----
    Planted(
        "array conv2d: the strides exchanged",
        f"{ARRAY}.conv2d",
        ":: stride[0], :: stride[1]",
        ":: stride[1], :: stride[0]",
    ),
    Planted("array conv2d: one padding for both axes", f"{ARRAY}.conv2d", "W + 2 * padding[1]", "W + 2 * padding[0]"),
    Planted("array conv2d: gx with the kernel not turned around", f"{ARRAY}.conv2d", "w[:, :, ::-1, ::-1]", "w"),
    Planted(
        "array conv2d: gx shifted by one",
        f"{ARRAY}.conv2d",
        "at = first * s + kernel - 1 - pad",
        "at = first * s + kernel - pad",
    ),
    Planted("array conv2d: gw from the last portion of images alone", f"{ARRAY}.conv2d", "gw += rows.T", "gw = rows.T"),
    Planted(
        "array conv2d: all portions from the first images",
        f"{ARRAY}.conv2d",
        "few[...] = windows[images]",
        "few[...] = windows[: len(few)]",
    ),
    Planted(
        "array conv2d: y lies NCHW",
        f"{ARRAY}.conv2d",
        "return y.transpose(0, 3, 1, 2)",
        "return y.transpose(0, 3, 1, 2).copy()",
    ),
    Planted(
        "reference conv2d: one padding for both axes", f"{REFERENCE}.conv2d", "+ j - padding[1]", "+ j - padding[0]"
    ),
    Planted(
        "reference conv2d: a window's last product instead of their sum",
        f"{REFERENCE}.conv2d",
        "y[n, o, p, q] += x",
        "y[n, o, p, q] = x",
    ),
    Planted(
        "reference conv2d: gw taken from the wrong channel",
        f"{REFERENCE}.conv2d",
        "* x[n, c, row, column]\n    return gw",
        "* x[n, 0, row, column]\n    return gw",
    ),
    # ---- pooling ----
    Planted("array max_pool2d: the last of equals wins", f"{ARRAY}.max_pool2d", "(value > y)", "(value >= y)"),
    Planted("array max_pool2d: NaN vanishes", f"{ARRAY}.max_pool2d", " | (value != value)", ""),
    Planted(
        "array max_pool2d: the border is 0 instead of −∞", f"{ARRAY}.max_pool2d", "padding, -np.inf)", "padding, 0)"
    ),
    Planted(
        "array max_pool2d: places counted with the kernel's height",
        f"{ARRAY}.max_pool2d",
        "argmax[larger] = i * kernel[1]",
        "argmax[larger] = i * kernel[0]",
    ),
    Planted(
        "array max_pool2d: overlapping windows overwrite each other",
        f"{ARRAY}.max_pool2d",
        "+= gy * (argmax",
        "= gy * (argmax",
    ),
    Planted("array avg_pool2d: overlapping windows overwrite each other", f"{ARRAY}.avg_pool2d", "+= share", "= share"),
    Planted(
        "array avg_pool2d: a window hanging over counts in full",
        f"{ARRAY}.avg_pool2d",
        "np.minimum(start + kernel[k], x_shape[2 + k] + padding[k])",
        "start + kernel[k]",
    ),
    Planted(
        "array avg_pool2d: gx cut out without its padding",
        f"{ARRAY}.avg_pool2d",
        "padding[0] : padding[0] + x_shape[2]",
        "0 : x_shape[2]",
    ),
    Planted(
        "array pooling: one stride for both axes",
        f"{ARRAY}.pooling",
        "(size[1] - 1) * stride[1] + 1, stride[1])",
        "(size[1] - 1) * stride[0] + 1, stride[0])",
    ),
    Planted(
        "windows: with ceil_mode one window too many",
        "tinyres_kernels.windows",
        ">= length + padding",
        "> length + padding",
    ),
    Planted(
        "windows: padding on one side alone",
        "tinyres_kernels.windows",
        "length + 2 * padding - kernel",
        "length + padding - kernel",
    ),
    Planted(
        "reference max_pool2d: the winner's gradients are not added",
        f"{REFERENCE}.max_pool2d",
        "padding[1]] += gy",
        "padding[1]] = gy",
    ),
    Planted(
        "reference avg_pool2d: the padding always counts",
        f"{REFERENCE}.avg_pool2d",
        "stop - start if count_include_pad else inside[k].stop - inside[k].start",
        "stop - start",
    ),
    # ---- batch norm ----
    Planted(
        "array batch_norm: the variance divided by M − 1",
        f"{ARRAY}.batch_norm",
        "channel_sums(deviation) / rows(x)",
        "channel_sums(deviation) / (rows(x) - 1)",
    ),
    Planted(
        "array batch_norm: gx without the way through the mean",
        f"{ARRAY}.batch_norm",
        "    gx -= column(gbeta / rows(x), x)\n",
        "",
    ),
    Planted(
        "array batch_norm: gx without the way through the variance",
        f"{ARRAY}.batch_norm",
        "-r * ggamma / rows(x)",
        "0 * r",
    ),
    Planted(
        "array batch_norm: the way through the variance with the wrong sign",
        f"{ARRAY}.batch_norm",
        "-r * ggamma",
        "r * ggamma",
    ),
    Planted(
        "array batch_norm: ggamma without r",
        f"{ARRAY}.batch_norm",
        "channel_sums(product) * r",
        "channel_sums(product)",
    ),
    Planted(
        "array batch_norm: gx without gamma", f"{ARRAY}.batch_norm", "gx *= column(gamma * r, x)", "gx *= column(r, x)"
    ),
    Planted(
        "array batch_norm: sums over the images alone",
        f"{ARRAY}.batch_norm",
        "x.sum((0, *range(2, x.ndim)))",
        "x.sum(0).reshape(x.shape[1], -1)[:, 0]",
    ),
    Planted(
        "array batch_norm: forward writes into x",
        f"{ARRAY}.batch_norm",
        "    y = x - column(mean, x)\n",
        "    y = x\n    y -= column(mean, x)\n",
    ),
    Planted(
        "array batch_norm_relu: gx without the gate",
        f"{ARRAY}.batch_norm_relu",
        "    g = gy * (batch_norm(x, mean, r, gamma, beta) > 0)\n    return batch_norm_grad_x(g,",
        "    return batch_norm_grad_x(gy,",
    ),
    Planted(
        "array batch_norm_relu: the gate of −z",
        f"{ARRAY}.batch_norm_relu",
        "> 0)\n    return batch_norm_grad_sums",
        "< 0)\n    return batch_norm_grad_sums",
    ),
    Planted(
        "array batch_norm_add_relu: the sum is written into the shortcut",
        f"{ARRAY}.batch_norm_add_relu",
        "    y += residual\n",
        "    residual += y\n    y = residual\n",
    ),
    Planted(
        "reference batch_norm: the variance divided by M − 1",
        f"{REFERENCE}.batch_norm",
        "** 2).sum() / values.size",
        "** 2).sum() / (values.size - 1)",
    ),
    Planted(
        "reference batch_norm: gx without the way through the mean", f"{REFERENCE}.batch_norm", " - gbeta[c] / M", ""
    ),
    Planted(
        "reference batch_norm_add_relu: the shortcut comes after the ReLU",
        f"{REFERENCE}.batch_norm_add_relu",
        "np.maximum(batch_norm(x, mean, r, gamma, beta) + residual, 0)",
        "np.maximum(batch_norm(x, mean, r, gamma, beta), 0) + residual",
    ),
    # ---- element by element ----
    Planted("array relu: forward writes into x", f"{ARRAY}.relu", "np.maximum(x, 0)", "np.maximum(x, 0, out=x)"),
    Planted(
        "array relu: half a gradient at 0",
        f"{ARRAY}.relu",
        "gy * (y > 0)",
        "gy * ((y > 0) + 0.5 * (y == 0)).astype(gy.dtype)",
    ),
    Planted("array relu: NaN becomes 0", f"{ARRAY}.relu", "np.maximum(x, 0)", "np.fmax(x, 0)"),
    Planted(
        "array add: the sum is written into a",
        f"{ARRAY}.add",
        "return a + b",
        "return np.add(a, b, out=a) if a.shape == b.shape and a.dtype == b.dtype else a + b",
    ),
    Planted(
        "reference add: broadcast along the wrong operand",
        f"{REFERENCE}.add",
        "a_repeated[place] + b_repeated[place]",
        "a_repeated[place] + b.flat[0]",
    ),
    Planted(
        "reference relu: NaN becomes 0",
        f"{REFERENCE}.relu",
        "0 if x[place] <= 0 else x[place]",
        "x[place] if x[place] > 0 else 0",
    ),
)
