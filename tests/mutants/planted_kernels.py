"""Mistakes in kernels that are array code or loops: the rungs array/ and reference/."""

from mutants.mutant import Planted

KERNELS = (
    # ---- convolution ----
    Planted(
        "array conv2d: the strides exchanged",
        "array.windows_of",
        "everywhere[:, :: stride[0], :: stride[1]]",
        "everywhere[:, :: stride[1], :: stride[0]]",
    ),
    Planted(
        "array conv2d: one padding for both axes", "array.pad_channels_last", "W + 2 * padding[1]", "W + 2 * padding[0]"
    ),
    Planted("array conv2d: gx with the kernel not turned around", "array.conv2d_grad_x", "w[:, :, ::-1, ::-1]", "w"),
    Planted(
        "array conv2d: gx shifted by one",
        "array.spread_channels_last",
        "at = first * s + kernel - 1 - pad",
        "at = first * s + kernel - pad",
    ),
    Planted(
        "array conv2d: gw from the last portion of images only",
        "array.conv2d_grad_w",
        "gw += rows.T @ gy[images].reshape(len(rows), O)",
        "gw = rows.T @ gy[images].reshape(len(rows), O)",
    ),
    Planted(
        "array conv2d: all portions from the first images",
        "array.im2col",
        "few[...] = windows[images]",
        "few[...] = windows[: len(few)]",
    ),
    Planted(
        "array conv2d: y lies NCHW",
        "array.slide",
        "return y.transpose(0, 3, 1, 2)",
        "return y.transpose(0, 3, 1, 2).copy()",
    ),
    Planted("reference conv2d: one padding for both axes", "reference.places", "padding[1]", "padding[0]"),
    Planted(
        "reference conv2d: a window's last product instead of their sum",
        "reference.conv2d",
        "y[n, o, p, q] += x[n, c, row, column] * w[o, c, i, j]",
        "y[n, o, p, q] = x[n, c, row, column] * w[o, c, i, j]",
    ),
    Planted(
        "reference conv2d: gw taken from the wrong channel",
        "reference.conv2d_grad_w",
        "x[n, c, row, column]",
        "x[n, 0, row, column]",
    ),
    # ---- pooling ----
    Planted("array max_pool2d: the last of equals wins", "array.max_pool2d", "(value > y)", "(value >= y)"),
    Planted("array max_pool2d: NaN vanishes", "array.max_pool2d", "(value > y) | (value != value)", "value > y"),
    Planted(
        "array max_pool2d: the border is 0 instead of −∞",
        "array.max_pool2d",
        "cover(x, (P, Q), kernel, stride, padding, -np.inf)",
        "cover(x, (P, Q), kernel, stride, padding, 0)",
    ),
    Planted(
        "array max_pool2d: places counted with the kernel's height",
        "array.max_pool2d",
        "i * kernel[1] + j",
        "i * kernel[0] + j",
    ),
    Planted(
        "array max_pool2d: overlapping windows overwrite each other",
        "array.max_pool2d_grad_x",
        "covered[place(i, j, size, stride)] += gy * (argmax == i * kernel[1] + j)",
        "covered[place(i, j, size, stride)] = gy * (argmax == i * kernel[1] + j)",
    ),
    Planted(
        "array avg_pool2d: overlapping windows overwrite each other",
        "array.avg_pool2d_grad_x",
        "covered[place(i, j, size, stride)] += share",
        "covered[place(i, j, size, stride)] = share",
    ),
    Planted(
        "array avg_pool2d: a window hanging over counts in full",
        "array.counts",
        "np.minimum(start + kernel[k], x_shape[2 + k] + padding[k])",
        "start + kernel[k]",
    ),
    Planted(
        "array avg_pool2d: gx cut out without its padding",
        "array.avg_pool2d_grad_x",
        "covered[:, :, padding[0] : padding[0] + x_shape[2], padding[1] : padding[1] + x_shape[3]]",
        "covered[:, :, 0 : x_shape[2], padding[1] : padding[1] + x_shape[3]]",
    ),
    Planted(
        "array pooling: one stride for both axes",
        "array.place",
        "slice(j, j + (size[1] - 1) * stride[1] + 1, stride[1])",
        "slice(j, j + (size[1] - 1) * stride[0] + 1, stride[0])",
    ),
    Planted(
        "windows: with ceil_mode one window too many",
        "tinyres_kernels.output_size",
        "(size - 1) * stride >= length + padding",
        "(size - 1) * stride > length + padding",
    ),
    Planted(
        "windows: padding on one side only",
        "tinyres_kernels.output_size",
        "length + 2 * padding - kernel",
        "length + padding - kernel",
    ),
    Planted(
        "reference max_pool2d: the winner's gradients are not added",
        "reference.max_pool2d_grad_x",
        "gx[n, c, p * stride[0] + i - padding[0], q * stride[1] + j - padding[1]] += gy[n, c, p, q]",
        "gx[n, c, p * stride[0] + i - padding[0], q * stride[1] + j - padding[1]] = gy[n, c, p, q]",
    ),
    Planted(
        "reference avg_pool2d: the padding always counts",
        "reference.window",
        "stop - start if count_include_pad else inside[k].stop - inside[k].start",
        "stop - start",
    ),
    # ---- batch norm ----
    Planted(
        "array batch_norm: the variance divided by M − 1",
        "array.batch_norm_statistics",
        "channel_sums(deviation) / batch_norm_values(x)",
        "channel_sums(deviation) / (batch_norm_values(x) - 1)",
    ),
    Planted(
        "array batch_norm: gx without the path through the mean",
        "array.batch_norm_grad_x",
        "gx -= column(gbeta / batch_norm_values(x), x)",
        "pass",
    ),
    Planted(
        "array batch_norm: gx without the path through the variance",
        "array.batch_norm_grad_x",
        "-r * ggamma / batch_norm_values(x)",
        "0 * r",
    ),
    Planted(
        "array batch_norm: the path through the variance with the wrong sign",
        "array.batch_norm_grad_x",
        "-r * ggamma",
        "r * ggamma",
    ),
    Planted(
        "array batch_norm: ggamma without r",
        "array.batch_norm_grad_sums",
        "channel_sums(product) * r",
        "channel_sums(product)",
    ),
    Planted(
        "array batch_norm: gx without gamma",
        "array.batch_norm_grad_x",
        "gx *= column(gamma * r, x)",
        "gx *= column(r, x)",
    ),
    Planted(
        "array batch_norm: sums over the images only",
        "array.channel_sums",
        "x.sum((0, *range(2, x.ndim)))",
        "x.sum(0).reshape(x.shape[1], -1)[:, 0]",
    ),
    Planted(
        "array batch_norm: forward writes into x",
        "array.batch_norm",
        "y = x - column(mean, x)",
        "y = x; y -= column(mean, x)",
    ),
    Planted(
        "array batch_norm_relu: gx without the gate",
        "array.batch_norm_relu_grad_x",
        "gy * (batch_norm(x, mean, r, gamma, beta) > 0)",
        "gy",
    ),
    Planted(
        "array batch_norm_relu: the gate opens where z is negative",
        "array.batch_norm_relu_grad_sums",
        "batch_norm(x, mean, r, gamma, beta) > 0",
        "batch_norm(x, mean, r, gamma, beta) < 0",
    ),
    Planted(
        "array batch_norm_add_relu: the sum is written into the shortcut",
        "array.batch_norm_add_relu",
        "y += residual",
        "residual += y; y = residual",
    ),
    Planted(
        "reference batch_norm: the variance divided by M − 1",
        "reference.batch_norm_statistics",
        "((values - mean[c]) ** 2).sum() / values.size",
        "((values - mean[c]) ** 2).sum() / (values.size - 1)",
    ),
    Planted(
        "reference batch_norm: gx without the path through the mean",
        "reference.batch_norm_grad_x",
        "gy[:, c] - gbeta[c] / M",
        "gy[:, c]",
    ),
    Planted(
        "reference batch_norm_add_relu: the shortcut comes after the ReLU",
        "reference.batch_norm_add_relu",
        "np.maximum(batch_norm(x, mean, r, gamma, beta) + residual, 0)",
        "np.maximum(batch_norm(x, mean, r, gamma, beta), 0) + residual",
    ),
    # ---- element by element ----
    Planted("array relu: forward writes into x", "array.relu", "np.maximum(x, 0)", "np.maximum(x, 0, out=x)"),
    Planted(
        "array relu: half a gradient at 0",
        "array.relu_grad_x",
        "gy * (y > 0)",
        "gy * ((y > 0) + 0.5 * (y == 0)).astype(gy.dtype)",
    ),
    Planted("array relu: NaN becomes 0", "array.relu", "np.maximum(x, 0)", "np.fmax(x, 0)"),
    Planted(
        "array add: the sum is written into a",
        "array.add",
        "return a + b",
        "return np.add(a, b, out=a) if a.shape == b.shape and a.dtype == b.dtype else a + b",
    ),
    Planted(
        "reference add: broadcast along the wrong operand",
        "reference.add",
        "a_repeated[place] + b_repeated[place]",
        "a_repeated[place] + b.flat[0]",
    ),
    Planted(
        "reference relu: NaN becomes 0",
        "reference.relu",
        "0 if x[place] <= 0 else x[place]",
        "x[place] if x[place] > 0 else 0",
    ),
)
