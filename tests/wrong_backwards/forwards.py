"""What forward computes in the wrong examples, and the pieces that their backwards share."""

import numpy as np


def positive(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.5, 3.0, shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def log_softmax(x):
    return np.log(softmax(x))


def windows(x, k, stride, pad, value=0.0):
    """(N, C, P, Q, k, k)"""
    x = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)], constant_values=value)
    return np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::stride, ::stride]


def conv(stride=1, pad=0):
    def forward(x, w, *b):
        y = np.einsum("ncpqij,ocij->nopq", windows(x, w.shape[2], stride, pad), w)
        return y + b[0][:, None, None] if b else y

    return forward


def conv_gx(gy, x, w, stride=1, pad=0, origin=None):
    """Every gy·w added back where its x was read; origin: the padding that is cropped off at the end."""
    n, c, h, width = x.shape
    k = w.shape[2]
    gx = np.zeros((n, c, h + 2 * pad + k + 8, width + 2 * pad + k + 8))
    for p in range(gy.shape[2]):
        for q in range(gy.shape[3]):
            gx[:, :, p * stride : p * stride + k, q * stride : q * stride + k] += np.einsum(
                "no,ocij->ncij", gy[:, :, p, q], w
            )
    start = pad if origin is None else origin
    return gx[:, :, start : start + h, start : start + width]


def conv_gw(gy, x, w, stride=1, pad=0):
    win = windows(x, w.shape[2], stride, pad)[:, :, : gy.shape[2], : gy.shape[3]]
    return np.einsum("nopq,ncpqij->ocij", gy, win)


def max_pool(k, stride):
    return lambda x: windows(x, k, stride, 0).max((4, 5))


def avg_pool(k, stride, pad=0):
    return lambda x: windows(x, k, stride, pad).mean((4, 5))


def pooled_back(x, k, stride, share, pad=0, assign=False):
    """share(window, p, q) -> what each element of the window (N, C, k, k) gets."""
    padded = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    gx = np.zeros_like(padded)
    for p in range((padded.shape[2] - k) // stride + 1):
        for q in range((padded.shape[3] - k) // stride + 1):
            at = np.s_[:, :, p * stride : p * stride + k, q * stride : q * stride + k]
            part = share(padded[at], p, q)
            if assign:
                gx[at] = part
            else:
                gx[at] += part
    return gx[:, :, pad : gx.shape[2] - pad, pad : gx.shape[3] - pad]


def is_max(window):
    return window == window.max((2, 3), keepdims=True)


EPS = 1e-5


def norm(axes, shape):
    def forward(x, gamma, beta):
        xhat = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + EPS)
        return gamma.reshape(shape) * xhat + beta.reshape(shape)

    return forward


def norm_parts(axes, x, ddof=0, eps=EPS):
    std = np.sqrt(x.var(axes, keepdims=True, ddof=ddof) + eps)
    return std, (x - x.mean(axes, keepdims=True)) / std


def mean(a, axes):
    return a.mean(axes, keepdims=True)


batch_norm2d = norm((0, 2, 3), (1, -1, 1, 1))


def channels(a):
    return a[:, None, None]


LABELS = np.array([2, 0, 1, 2])
ONEHOT = np.eye(3)[LABELS]
MASK = np.random.default_rng(1).random((4, 5)) > 0.4
ROWS = np.array([2, 0, 2, 1, 2])


def cross_entropy(x):
    return -(log_softmax(x) * ONEHOT).sum() / len(x)


def put(shape, index, values):
    out = np.zeros(shape)
    out[index] = values
    return out


X = ((3, 4),)
IMAGE = ((2, 3, 5, 5),)
CONV = ((2, 2, 5, 5), (2, 2, 3, 3))
CONV3 = ((2, 2, 6, 6), (3, 2, 3, 3))


PLANE = ((2, 2, 4, 4),)
LINEAR = ((4, 3), (3, 3), (3,))


def linear(x, w, b):
    return x @ w.T + b


def relu(x):
    return np.maximum(x, 0)


def leaky(x):
    return np.where(x > 0, x, 0.1 * x)


def silu(x):
    return x * sigmoid(x)


def rms_norm(x, g):
    return g * x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)


def rms_parts(x):
    r = np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)
    return r, x / r


def group_norm(x):
    g = x.reshape(len(x), 2, -1)
    g = (g - g.mean(2, keepdims=True)) / np.sqrt(g.var(2, keepdims=True) + EPS)
    return g.reshape(x.shape)


def group_norm_back(gy, x, keep_mean, keep_var):
    n = len(x)
    g, xs = gy.reshape(n, 2, -1), x.reshape(n, 2, -1)
    std, xhat = norm_parts((2,), xs)
    gx = (g - keep_mean * mean(g, 2) - keep_var * xhat * mean(g * xhat, 2)) / std
    return gx.reshape(x.shape)


instance_norm = norm((2, 3), (1, -1, 1, 1))


def elu(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)


def bce(p, t):
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()


def bce_logits(x, t):
    return (np.log1p(np.exp(x)) - t * x).mean()


def huber(x, t):
    d = x - t
    return np.where(np.abs(d) < 1, d**2 / 2, np.abs(d) - 0.5).sum()


def scores(q, k):
    return q @ k.T / np.sqrt(q.shape[1])


def logsumexp(x):
    return np.log(np.exp(x).sum(1))


def conv1d(x, w):
    return np.einsum("nclk,ock->nol", np.lib.stride_tricks.sliding_window_view(x, w.shape[2], 2), w)


def conv1d_gx(gy, x, w):
    gx = np.zeros_like(x)
    for i in range(w.shape[2]):
        gx[:, :, i : i + gy.shape[2]] += np.einsum("nol,oc->ncl", gy, w[:, :, i])
    return gx


def depthwise(x, w):
    return np.einsum("ncpqij,cij->ncpq", windows(x, 3, 1, 1), w)


PROBABILITIES = np.random.default_rng(5).uniform(0.1, 0.9, (4, 3))
TARGETS = (np.random.default_rng(6).random((4, 3)) > 0.5) * 1.0


def l2_normalise(x):
    return x / np.sqrt((x**2).sum(1, keepdims=True))


def strided_loop(gy, x, w, stride, skip_last):
    gx = np.zeros_like(x)
    k = w.shape[2]
    p_, q_ = gy.shape[2:]
    for p in range(p_ - skip_last):
        for q in range(q_ - skip_last):
            gx[:, :, p * stride : p * stride + k, q * stride : q * stride + k] += np.einsum(
                "no,ocij->ncij", gy[:, :, p, q], w
            )
    return gx
