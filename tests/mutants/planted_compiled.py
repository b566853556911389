"""Mistakes in compiled kernels: the rung cpu/. Each trial compiles anew what its tests call."""

from mutants.mutant import Compiled

CPU = "tinyres_kernels.cpu"

COMPILED = (
    Compiled(
        "cpu relu: the gate is open at 0", f"{CPU}.relu", "if y[i] > 0 else 0", "if y[i] >= 0 else 0", "test_relu_hands"
    ),
    Compiled(
        "cpu relu: a shut gate passes half",
        f"{CPU}.relu",
        "0 if x[i] <= 0 else x[i]",
        "max(x[i], x[i] / 2)",
        "test_elements",
    ),
    Compiled(
        "cpu add: the last number is left out", f"{CPU}.add", "prange(y.size)", "prange(y.size - 1)", "test_elements"
    ),
    Compiled(
        "cpu elements: arrays in different orders are taken as alike",
        f"{CPU}.elements",
        "(all(in_order(x) for x in arrays) or all(is_nhwc(x) for x in arrays))",
        "all(in_order(x) or is_nhwc(x) for x in arrays)",
        "test_elements",
    ),
    Compiled(
        "cpu max_pool2d: the last of equals wins",
        f"{CPU}.max_pool2d",
        "values[c] > best[c]",
        "values[c] >= best[c]",
        "max_pool2d",
    ),
    Compiled(
        "cpu max_pool2d: gx starts from used memory", f"{CPU}.max_pool2d", "        gx[n] = 0\n", "", "max_pool2d"
    ),
    Compiled(
        "cpu avg_pool2d: gx without the share",
        f"{CPU}.avg_pool2d",
        "gy[n, p, q, c] * shares[p, q]",
        "gy[n, p, q, c]",
        "avg_pool2d",
    ),
    Compiled(
        "cpu batch_norm: gx without the way through the mean",
        f"{CPU}.batch_norm",
        "a[i] * gy_row[i] - b[i] - c[i]",
        "a[i] * gy_row[i] - c[i]",
        "test_batch_norm[",
    ),
    Compiled(
        "cpu batch_norm: blocks joined as if their means were equal",
        f"{CPU}.batch_norm",
        " + counts @ (sums / counts[:, None] - mean) ** 2",
        "",
        "test_batch_norm[",
        slow=True,
    ),
    Compiled(
        "cpu conv2d: the kernel upside down",
        f"{CPU}.conv2d_direct",
        "o % width] = w[o, c, i, j]",
        "o % width] = w[o, c, KH - 1 - i, j]",
        "test_conv2d[",
        slow=True,
    ),
    Compiled(
        "cpu conv2d: gw upside down",
        f"{CPU}.conv2d_direct",
        "gw[o, c, i, j] = total",
        "gw[o, c, KH - 1 - i, j] = total",
        "test_conv2d[",
        slow=True,
    ),
    Compiled(
        "cpu winograd: two points exchanged in one matrix",
        f"{CPU}.conv2d_winograd",
        "(1 / AT_BETA, 0, BETA**2 / AT_BETA)",
        "(1 / AT_BETA, 0, ALPHA**2 / AT_BETA)",
        "test_the_matrices",
    ),
    Compiled(
        "cpu winograd: gw with rows for columns",
        f"{CPU}.conv2d_winograd_grad_w",
        "= square[(i * KW + j) * vector + lane]",
        "= square[(j * KW + i) * vector + lane]",
        "test_rounding_errors_are_small[16]",
        slow=True,
    ),
    Compiled(
        "cpu rows: the last channel is not folded",
        f"{CPU}.rows",
        "for c in range(C):",
        "for c in range(C - 1):",
        "test_batch_norm[",
        slow=True,
    ),
)
