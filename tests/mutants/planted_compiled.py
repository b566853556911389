"""Mistakes in compiled kernels: the rung cpu/. Each trial compiles anew what its tests call."""

from mutants.mutant import Planted

CPU = "tinyres_kernels.cpu"

COMPILED = (
    Planted("cpu relu: the gate is open at 0", f"{CPU}.relu", "if y[i] > 0 else 0", "if y[i] >= 0 else 0"),
    Planted("cpu relu: NaN becomes 0", f"{CPU}.relu", "0 if x[i] <= 0 else x[i]", "x[i] if x[i] > 0 else 0"),
    Planted("cpu add: the last number is left out", f"{CPU}.add", "prange(y.size)", "prange(y.size - 1)"),
    Planted(
        "cpu elements: an order of bytes is ignored",
        f"{CPU}.elements",
        "(all(in_order(x) for x in arrays) or all(is_nhwc(x) for x in arrays))",
        "all(in_order(x) or is_nhwc(x) for x in arrays)",
    ),
    Planted(
        "cpu max_pool2d: the last of equals wins", f"{CPU}.max_pool2d", "values[c] > best[c]", "values[c] >= best[c]"
    ),
    Planted("cpu max_pool2d: gx starts from used memory", f"{CPU}.max_pool2d", "        gx[n] = 0\n", ""),
    Planted(
        "cpu avg_pool2d: one stride for both axes",
        f"{CPU}.avg_pool2d",
        "            total = y[n, p, q]\n",
        "            left = q * stride[0] - padding[1]\n            total = y[n, p, q]\n",
    ),
    Planted(
        "cpu avg_pool2d: gx without the share", f"{CPU}.avg_pool2d", "gy[n, p, q, c] * shares[p, q]", "gy[n, p, q, c]"
    ),
    Planted(
        "cpu batch_norm: gx without the way through the mean",
        f"{CPU}.batch_norm",
        "a[i] * gy_row[i] - b[i] - c[i]",
        "a[i] * gy_row[i] - c[i]",
    ),
    Planted(
        "cpu batch_norm: blocks' variances joined without their means",
        f"{CPU}.batch_norm",
        " + counts @ (sums / counts[:, None] - mean) ** 2",
        "",
    ),
    Planted(
        "cpu rows: the last channel is not folded",
        f"{CPU}.rows",
        "for c in range(C):",
        "for c in range(C - 1):",
        slow=True,
    ),
)
