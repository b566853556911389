"""Mistakes in compiled kernels: the rung cpu/. Each trial compiles anew what its tests call."""

from mutants.mutant import Compiled

COMPILED = (
    Compiled("cpu relu: the gate is open at 0", "cpu.passed", "y[i] > 0", "y[i] >= 0", "test_relu_hands"),
    Compiled(
        "cpu relu: a shut gate passes half",
        "cpu.gated",
        "0 if x[i] <= 0 else x[i]",
        "max(x[i], x[i] / 2)",
        "test_elements",
    ),
    Compiled(
        "cpu add: the last number is left out", "cpu.added", "prange(y.size)", "prange(y.size - 1)", "test_elements"
    ),
    Compiled(
        "cpu elements: arrays in different orders are taken as alike",
        "cpu.covered",
        "(all(in_order(x) for x in arrays) or all(is_nhwc(x) for x in arrays))",
        "all(in_order(x) or is_nhwc(x) for x in arrays)",
        "test_elements",
    ),
    Compiled(
        "cpu max_pool2d: the last of equals wins",
        "cpu.largest",
        "values[c] > best[c]",
        "values[c] >= best[c]",
        "max_pool2d",
    ),
    Compiled("cpu max_pool2d: gx starts from used memory", "cpu.handed_back", "gx[n] = 0", "pass", "max_pool2d"),
    Compiled(
        "cpu avg_pool2d: gx without the share",
        "cpu.shared_out",
        "gy[n, p, q, c] * shares[p, q]",
        "gy[n, p, q, c]",
        "avg_pool2d",
    ),
    Compiled(
        "cpu batch_norm: gx without the way through the mean",
        "cpu.corrected",
        "a[i] * gy_row[i] - b[i]",
        "a[i] * gy_row[i]",
        "test_batch_norm[",
    ),
    Compiled(
        "cpu batch_norm: blocks joined as if their means were equal",
        "cpu.batch_norm_statistics",
        "squares.sum(0) + counts @ (sums / counts[:, None] - mean) ** 2",
        "squares.sum(0)",
        "test_batch_norm[",
        slow=True,
    ),
    Compiled(
        "cpu conv2d: the kernel upside down",
        "cpu.pack",
        "weights[o // width, i, j, c, o % width] = w[o, c, i, j]",
        "weights[o // width, i, j, c, o % width] = w[o, c, KH - 1 - i, j]",
        "test_conv2d[",
        slow=True,
    ),
    Compiled(
        "cpu conv2d: gw upside down",
        "cpu.collect",
        "gw[o, c, i, j] = total",
        "gw[o, c, KH - 1 - i, j] = total",
        "test_conv2d[",
        slow=True,
    ),
    Compiled(
        "cpu winograd: two points exchanged in one matrix",
        "cpu.KERNEL",
        "b**2 / at_b",
        "a**2 / at_b",
        "test_the_matrices",
    ),
    Compiled(
        "cpu winograd: gw with rows for columns",
        "cpu.collect_panel",
        "square[(i * KW + j) * vector + lane]",
        "square[(j * KW + i) * vector + lane]",
        "test_rounding_errors_are_small[16]",
        slow=True,
    ),
    Compiled(
        "cpu rows: the last channel is not folded",
        "cpu.fold",
        "range(C)",
        "range(C - 1)",
        "test_batch_norm[",
        slow=True,
    ),
)
