"""Wrong functions as learners write them: (exercise, answer, what is said of it: one change to our solution)."""

import math
from math import comb

import numpy as np

from tinyres.study.course import chain, checking, convolution, linear, normalisation, residual, speed, training


def times(g, h):
    return [one * other for one, other in zip(g, h, strict=True)]


def recursion(h, ws, slopes, g_last, *, slope_shift=0, use_slope=True, use_weight=True):
    """The g_i of lesson 1, with another slope, or with a factor left out."""
    g = [g_last] * len(ws)
    for i in reversed(range(len(ws) - 1)):
        g[i] = g[i + 1]
        g[i] = g[i] * ws[i + 1] if use_weight else g[i]
        g[i] = g[i] * slopes[i + slope_shift] if use_slope else g[i]
    return g


def swept(order, inputs, slopes, *, add=True, chain=True, slope=True, seed=1.0):
    """The sweep of lesson 2, with a mistake."""
    g = {order[0]: seed}
    for node in order:
        for x, local in zip(inputs[node], slopes[node], strict=True):
            gx = (g.get(node, 0.0) if chain else 1.0) * (local if slope else 1.0)
            g[x] = g.get(x, 0.0) + gx if add else gx
    return [g.get(node, 0.0) for node in order]


def parameters(n, *, stride=True, fc=650):
    """ResNet's, with a mistake in a stage's first convolution, or in the linear layer."""
    layers, channels = [(3, 16)], 16
    for width in (16, 32, 64):
        for _ in range(n):
            layers += [(channels if stride else width, width), (width, width)]
            channels = width
    return sum(9 * a * b + 2 * b for a, b in layers) + fc


WRONG_FUNCTIONS = (
    ("sigmoid_slope", chain.sigmoid, "the factor `1 - s` is missing in `s * (1 - s)`"),
    ("sigmoid_slope", lambda z: 1 - chain.sigmoid(z), "the factor `s` is missing in `s * (1 - s)`"),
    ("sigmoid_slope", lambda z: chain.sigmoid(z) * (1 + chain.sigmoid(z)), "`1 + s` is used in place of `1 - s`"),
    ("chain_gradient", lambda x, ws: x * np.prod(chain._values(x, ws)[1]), "the factor `w` is missing in `w * a`"),
    (
        "g_recursion",
        lambda h, ws, slopes, g_last: times(recursion(h, ws, slopes, g_last, slope_shift=1), h),
        "the term `1` is missing in `i - 1`",
    ),
    (
        "g_recursion",
        lambda h, ws, slopes, g_last: times(recursion(h, ws, slopes, g_last, use_slope=False), h),
        "the factor `slopes[i - 1]` is missing in `g * ws[i] * slopes[i - 1]`",
    ),
    (
        "g_recursion",
        lambda h, ws, slopes, g_last: times(recursion(h, ws, slopes, g_last, use_weight=False), h),
        "the factor `ws[i]` is missing in `g * ws[i]`",
    ),
    (
        "g_recursion",
        lambda h, ws, slopes, g_last: [g_last * one for one in h],
        "the line `g = g * ws[i] * slopes[i - 1]` is missing",
    ),
    ("g_recursion", recursion, "the factor `h[i]` is missing in `g * h[i]`"),
    (
        "g_recursion",
        lambda h, ws, slopes, g_last: times(recursion(h, ws, slopes, g_last), ws),
        "`ws` is used in place of `h`",
    ),
    ("central_difference", lambda f, x, h: (f(x + h) - f(x - h)) / h, "the factor `2` is missing in `2 * h`"),
    (
        "central_difference",
        lambda f, x, h: f(x + h) - f(x - h),
        "the divisor `2 * h` is missing in `(f(x + h) - f(x - h)) / (2 * h)`",
    ),
    (
        "central_difference",
        lambda f, x, h: (f(x + h) - f(x - h)) / 2 * h,
        "a bracket: `(f(x + h) - f(x - h)) / 2 * h` is used in place of `(f(x + h) - f(x - h)) / (2 * h)`",
    ),
    ("numerical_gradient", lambda f, x: 2 * checking._element_by_element(f, x), "the factor `2` is missing in `2 * h`"),
    (
        "numerical_gradient",
        lambda f, x: -checking._element_by_element(f, x),
        "`f(behind) - f(ahead)` is used in place of `f(ahead) - f(behind)`",
    ),
    (
        "directional_check",
        lambda forward, backward, x, gy, d, h: (
            checking._dot(backward(gy, x), d),
            float(checking._along(forward, x, d, h).sum()),
        ),
        "the factor `gy` is missing in `gy * (forward(x + h * d) - forward(x - h * d))`",
    ),
    (
        "directional_check",
        lambda forward, backward, x, gy, d, h: (
            float(backward(gy, x).sum()),
            checking._dot(gy, checking._along(forward, x, np.ones_like(d), h)),
        ),
        "the factor `d` is missing wherever it is one",
    ),
    (
        "directional_check",
        lambda forward, backward, x, gy, d, h: (
            float(backward(gy, x).sum()),
            checking._dot(gy, checking._along(forward, x, d, h)),
        ),
        "the factor `d` is missing in `backward(gy, x) * d`",
    ),
    (
        "directional_check",
        lambda forward, backward, x, gy, d, h: (
            checking._dot(backward(gy, x), d),
            2 * checking._dot(gy, checking._along(forward, x, d, h)),
        ),
        "the factor `2` is missing in `2 * h`",
    ),
    (
        "directional_check",
        lambda forward, backward, x, gy, d, h: (
            checking._dot(backward(gy, x), d),
            checking._dot(gy, (forward(x + h * d) - forward(x - h * d)) / 2 * h),
        ),
        "a bracket: `gy * (forward(x + h * d) - forward(x - h * d)) / 2 * h` is used in place of `gy * (forward(x + h "
        "* d) - forward(x - h * d)) / (2 * h)`",
    ),
    (
        "output_size",
        lambda n, k, s, p: (n + 2 * p - k) // s,
        "the term `1` is missing in `(length + 2 * padding - kernel) // stride + 1`",
    ),
    ("output_size", lambda n, k, s, p: (n + p - k) // s + 1, "the factor `2` is missing in `2 * padding`"),
    ("output_size", lambda n, k, s, p: (n - k) // s + 1, "the term `2 * padding` is missing in `length + 2 * padding`"),
    (
        "output_size",
        lambda n, k, s, p: n + 2 * p - k + 1,
        "the part `stride` is missing in `(length + 2 * padding - kernel) // stride`",
    ),
    (
        "output_size",
        lambda n, k, s, p: (n + 2 * p - k) / s + 1,
        "`(length + 2 * padding - kernel) / stride` is used in place of `(length + 2 * padding - kernel) // stride`",
    ),
    (
        "conv2d_loops",
        lambda x, w, s, p: convolution._conv(x, w, s, p) / w[0].size,
        "`mean` is used in place of `sum`, in `(window * w[o]).sum()`",
    ),
    (
        "backward_sweep",
        lambda *a: swept(*a, add=False),
        "`g[x] += g[node] * slope` has become an assignment: = in place of +=",
    ),
    (
        "backward_sweep",
        lambda *a: swept(*a, chain=False),
        "the factor `g[node]` is missing in `g[node] * slope`",
    ),
    ("backward_sweep", lambda *a: swept(*a, slope=False), "the factor `slope` is missing in `g[node] * slope`"),
    ("backward_sweep", lambda *a: swept(*a, seed=0.0), "the number 0 is used in place of 1"),
    (
        "softmax",
        lambda x: np.exp(x - x.max(1, keepdims=True)),
        "the divisor `e.sum(1, keepdims=True)` is missing in `e / e.sum(1, keepdims=True)`",
    ),
    (
        "softmax_backward",
        lambda gy, x: x * (gy - (gy * x).sum(1, keepdims=True)),
        "The gradient must be `y * gy - y * (gy * y).sum((1,), keepdims=True)`, but `x` is used in place of `y`.",
    ),
    (
        "softmax_backward",
        lambda gy, x: gy * linear._softmax(x) * (1 - linear._softmax(x)) * 1.0,
        "The gradient must be `y * gy - y * (gy * y).sum((1,), keepdims=True)`, but `.sum(…)` is missing in `(gy * "
        "y).sum((1,), keepdims=True)`.",
    ),
    (
        "cross_entropy_backward",
        lambda gy, x, labels: -gy * linear._onehot(x, labels) * (1 - linear._softmax(x)) / len(x),
        "The gradient must be `softmax(x, (1,)) * gy - onehot * gy`, but only the label's own element is filled in: "
        "the other classes get softmax(x).",
    ),
    (
        "cross_entropy_backward",
        lambda gy, x, labels: (
            gy
            * (linear._softmax(x) - linear._onehot(x, labels))
            * linear._softmax(x)
            * (1 - linear._softmax(x))
            / len(x)
        ),
        "The gradient must be `softmax(x, (1,)) * gy - onehot * gy`, but the softmax's slope p·(1 − p) is a factor too "
        "many.",
    ),
    (
        "cross_entropy_backward",
        lambda gy, x, labels: gy * (linear._softmax(x) - linear._onehot(x, labels)) / x.size,
        "The gradient is 1/3 times the true one, everywhere: it is divided by 12 in place of 4; 4 is the batch size, "
        "12 is the number of elements of x.",
    ),
    (
        "batch_norm_forward",
        lambda x, gamma, beta: normalisation._scaled(normalisation._centred(x, (1, 2, 3)), gamma, beta),
        "1 is used everywhere in place of 0",
    ),
    (
        "batch_norm_forward",
        lambda x, gamma, beta: normalisation._scaled(normalisation._centred(x, eps=0), gamma, beta),
        "the term `1e-05` is missing in `var + 1e-05`",
    ),
    (
        "batch_norm_forward",
        lambda x, gamma, beta: normalisation._scaled(normalisation._centred(x, power=1), gamma, beta),
        "`np.sqrt` is missing: `var + 1e-05` is used in place of `np.sqrt(var + 1e-05)`",
    ),
    (
        "batch_norm_forward",
        lambda x, gamma, beta: gamma[:, None, None] * normalisation._centred(x),
        "the term `beta[:, None, None]` is missing in `gamma[:, None, None] * (x - mean) / np.sqrt(var + 1e-05) + "
        "beta[:, None, None]`",
    ),
    (
        "batch_norm_forward",
        lambda x, gamma, beta: normalisation._scaled(
            normalisation._centred(x) + x.mean((0, 2, 3), keepdims=True) * 0, gamma, 0 * beta
        ),
        "the term `beta[:, None, None]` is missing in `gamma[:, None, None] * (x - mean) / np.sqrt(var + 1e-05) + "
        "beta[:, None, None]`",
    ),
    (
        "batch_norm_forward",
        lambda x, gamma, beta: normalisation._centred(x) + beta[:, None, None],
        "the factor `gamma[:, None, None]` is missing in `gamma[:, None, None] * (x - mean)`",
    ),
    (
        "batch_norm_forward",
        lambda x, gamma, beta: normalisation._scaled(
            x / np.sqrt(x.var((0, 2, 3), keepdims=True) + normalisation.EPS), gamma, beta
        ),
        "the term `mean` is missing in `x - mean`",
    ),
    (
        "batch_norm_backward",
        lambda gy, x, gamma, beta: normalisation._norm_gradients(gy, x, gamma, gamma_in_ggamma=True),
        "The finished gradient is multiplied by gamma once more, element by element. Otherwise it is right.",
    ),
    (
        "running_mean",
        lambda running, batch, m: running + m * batch,
        "the factor `1 - momentum` is missing in `(1 - momentum) * running`",
    ),
    ("dense_channels", lambda k0, k, n: k * n, "the term `k0` is missing in `k0 + k * layers`"),
    ("dense_channels", lambda k0, k, n: k0 + k, "the factor `layers` is missing in `k * layers`"),
    (
        "residual_block_backward",
        lambda gy, x, w: (gy + (gy * (x @ w.T > 0)) @ w.T, (gy * (x @ w.T > 0)).T @ x),
        "a .T too many, of `w` in `g @ w`",
    ),
    ("residual_chain", np.prod, "the term `1` is missing in `w + 1`"),
    (
        "shortcut_a",
        lambda x, channels: residual._wide(x, channels - x.shape[1], stride=1),
        "the line `x = x[:, :, ::2, ::2]` is missing",
    ),
    (
        "shortcut_a",
        lambda x, channels: residual._wide(x, channels),
        "the term `x.shape[1]` is missing in `channels - x.shape[1]`",
    ),
    (
        "shortcut_a",
        lambda x, channels: x[:, :, ::2, ::2],
        "`np.pad` is missing: `x` is used in place of `np.pad(x, ((0, 0), (0, channels - x.shape[1]), (0, 0), (0, "
        "0)))`",
    ),
    ("resnet_parameters", lambda n: parameters(n, stride=False), "`width` is used in place of `channels`"),
    ("resnet_parameters", lambda n: parameters(n, fc=640), "the term `1` is missing in `64 + 1`"),
    (
        "resnet_parameters",
        lambda n: parameters(n, fc=0),
        "the term `(64 + 1) * 10` is missing in `total + (64 + 1) * 10`",
    ),
    (
        "conv_as_product",
        lambda x, w: speed._product(x, w, speed._GOOD, w.reshape(len(w), -1).T),
        "`.transpose(…)` is missing in `(rows @ w.reshape(O, -1).T).reshape(N, P, Q, O).transpose(0, 3, 1, 2)`",
    ),
    (
        "sgd_momentum",
        lambda w, g, v, lr, m: (w + lr * (m * v + g), m * v + g),
        "`w + lr * v` is used in place of `w - lr * v`",
    ),
    (
        "sgd_momentum",
        lambda w, g, v, lr, m: (w - lr * (v + g), v + g),
        "the factor `momentum` is missing in `momentum * v`",
    ),
    (
        "sgd_momentum",
        lambda w, g, v, lr, m: (m * v + g, w - lr * (m * v + g)),
        "the two results come in the wrong order",
    ),
    (
        "weight_decay_step",
        lambda w, g, lr, decay: w - lr * g - decay * w,
        "a bracket: `lr * g + weight_decay * w` is used in place of `lr * (g + weight_decay * w)`",
    ),
    (
        "weight_decay_step",
        lambda w, g, lr, decay: w - lr * g,
        "the term `weight_decay * w` is missing in `g + weight_decay * w`",
    ),
    (
        "weight_decay_step",
        lambda w, g, lr, decay: w - lr * (g - decay * w),
        "`g - weight_decay * w` is used in place of `g + weight_decay * w`",
    ),
    (
        "weight_decay_step",
        lambda w, g, lr, decay: w - lr * (g + decay),
        "the factor `w` is missing in `weight_decay * w`",
    ),
    (
        "paper_schedule",
        lambda ts: [0.1 if t < 32_000 else 0.01 for t in ts],
        "the term `t >= 48000` is missing in `(t >= 32000) + (t >= 48000)`",
    ),
    (
        "paper_schedule",
        lambda ts: [10 * training._paper(t) for t in ts],
        "the factor `0.1` is missing in `0.1 * 0.1 ** ((t >= 32000) + (t >= 48000))`",
    ),
    (
        "cosine_schedule",
        lambda base, t, T: base * (1 + math.cos(math.pi * t / T)),
        "the divisor `2` is missing in `base * (1 + math.cos(math.pi * t / T)) / 2`",
    ),
    (
        "cosine_schedule",
        lambda base, t, T: base * (1 + math.cos(t / T)) / 2,
        "the factor `math.pi` is missing in `math.pi * t`",
    ),
    (
        "cosine_schedule",
        lambda base, t, T: base * (1 - math.cos(math.pi * t / T)) / 2,
        "`1 - math.cos(math.pi * t / T)` is used in place of `1 + math.cos(math.pi * t / T)`",
    ),
    ("path_lengths", lambda n: [comb(n, k) for k in range(1, n + 1)], "the first of `range(n + 1)` is left out"),
    ("path_lengths", lambda n: [comb(n, k) for k in range(n)], "the term `1` is missing in `n + 1`"),
)
