"""Convolution as matrix products (im2col; Chellapilla et al. 2006), over NHWC bytes.

Every output pixel is the product of one row of KH·KW·C inputs with the weights as a (KH·KW·C, O) matrix. With these
rows written below each other, convolution is one matrix product, which BLAS does at the machine's speed:

    rows (N·P·Q, KH·KW·C)  @  weights (KH·KW·C, O)  =  y (N·P·Q, O)        gw = rowsᵀ @ gy

The gradient of x is a convolution too. x[r] met weight i in output p where p·s = r − i + pad. So spread gy out, s apart
with zeros between, turn the kernel around and slide it over.

The rows hold each input KH·KW times, so they are written for a few images at a time: 1 MiB of rows stays in the
processor's cache, while those of all N images would go out to memory and back. With the channels last (NHWC) a row is
KH runs of KW·C neighbouring values, which are cheap to copy, and y comes out as N·P·Q rows of O channels. Callers see
NCHW shapes: the result is a transposed view.
"""

from collections.abc import Iterator

import numpy as np

from tinyres_kernels.contract import Array, Pair

CHUNK_BYTES = 1 << 20


def conv2d(x: Array, w: Array, stride: Pair, padding: Pair) -> Array:
    """The bytes of y are NHWC."""
    return slide(pad_channels_last(x, padding), w, stride)


def conv2d_grad_x(gy: Array, w: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    """The bytes of gx are NHWC."""
    turned = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)  # (C, O, KH, KW)
    return slide(spread_channels_last(gy, x_shape, w.shape, stride, padding), turned, (1, 1))


def conv2d_grad_w(gy: Array, x: Array, w_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    O, C, KH, KW = w_shape
    padded = pad_channels_last(x, padding)
    gy = in_order(gy.transpose(0, 2, 3, 1))  # (N, P, Q, O)
    gw = np.zeros_like(gy, shape=(KH * KW * C, O), order="C")
    windows = windows_of(padded, (KH, KW), stride)
    for images, rows in im2col(windows):
        gw += rows.T @ gy[images].reshape(len(rows), O)
    return in_order(gw.reshape(KH, KW, C, O).transpose(3, 2, 0, 1))


def in_order(x: Array) -> Array:
    """x with its bytes in the order of its axes: x itself, or a copy. (CuPy's arrays refuse np.ascontiguousarray.)"""
    return x if x.flags.c_contiguous else x.copy()


def slide(padded: Array, w: Array, stride: Pair) -> Array:
    """The kernel w (O,C,KH,KW) at every place of padded (N,H,W,C), `stride` apart -> (N,O,P,Q), the bytes NHWC"""
    O, _, KH, KW = w.shape
    weights = w.transpose(2, 3, 1, 0).reshape(-1, O)  # (KH·KW·C, O)
    windows = windows_of(padded, (KH, KW), stride)
    y = np.empty_like(padded, shape=(*windows.shape[:3], O), order="C")
    for images, rows in im2col(windows):
        np.matmul(rows, weights, out=y[images].reshape(len(rows), O))
    return y.transpose(0, 3, 1, 2)


def pad_channels_last(x: Array, padding: Pair) -> Array:
    """x (N,C,H,W) -> (N, H+2·pad, W+2·pad, C), with zeros around it"""
    N, C, H, W = x.shape
    padded = np.zeros_like(x, shape=(N, H + 2 * padding[0], W + 2 * padding[1], C), order="C")
    padded[:, padding[0] : padding[0] + H, padding[1] : padding[1] + W] = x.transpose(0, 2, 3, 1)
    return padded


def spread_channels_last(
    gy: Array, x_shape: tuple[int, ...], w_shape: tuple[int, ...], stride: Pair, padding: Pair
) -> Array:
    """gy (N,O,P,Q) -> (N, H+KH−1, W+KW−1, O) with zeros between: output p goes to p·s + KH−1−pad.

    Outputs that would land outside have read nothing but padding, so they are left out.
    """
    source, target = [slice(None)], [slice(None)]
    for k in (2, 3):
        length, kernel, s, pad = x_shape[k], w_shape[k], stride[k - 2], padding[k - 2]
        first = max(0, -((kernel - 1 - pad) // s))
        stop = max(first, min(gy.shape[k], (length - 1 + pad) // s + 1))
        at = first * s + kernel - 1 - pad
        source.append(slice(first, stop))
        target.append(slice(at, at + (stop - first) * s, s))
    N, O = gy.shape[:2]
    shape = N, x_shape[2] + w_shape[2] - 1, x_shape[3] + w_shape[3] - 1, O
    spread = np.zeros_like(gy, shape=shape, order="C")
    spread[tuple(target)] = gy.transpose(0, 2, 3, 1)[tuple(source)]
    return spread


def windows_of(padded: Array, kernel: Pair, stride: Pair) -> Array:
    """padded (N,H,W,C) -> (N, P, Q, KH, KW, C), the inputs that each output pixel sees: a view, nothing is copied"""
    everywhere = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))  # (N, H', W', C, KH, KW)
    return everywhere[:, :: stride[0], :: stride[1]].transpose(0, 1, 2, 4, 5, 3)


def im2col(windows: Array) -> Iterator[tuple[slice, Array]]:
    """A slice of images and their rows (n·P·Q, KH·KW·C), about CHUNK_BYTES at a time.

    All rows come in one buffer: the next ones overwrite these.
    """
    N, P, Q, KH, KW, C = windows.shape
    portion = max(1, CHUNK_BYTES // max(1, windows[:1].nbytes))
    buffer = np.empty_like(windows, shape=(min(portion, N), P, Q, KH, KW, C), order="C")
    for start in range(0, N, portion):
        images = slice(start, min(start + portion, N))
        few = buffer[: images.stop - start]
        few[...] = windows[images]
        yield images, few.reshape(-1, KH * KW * C)
