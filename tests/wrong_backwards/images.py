"""Convolutions and pooling."""

import numpy as np

from wrong_backwards.forwards import (
    CONV,
    CONV3,
    IMAGE,
    PLANE,
    X,
    avg_pool,
    conv,
    conv1d,
    conv1d_gx,
    conv_gw,
    conv_gx,
    depthwise,
    is_max,
    max_pool,
    pooled_back,
    put,
    strided_loop,
    windows,
)
from wrong_backwards.wrong import Wrong

IMAGES = (
    Wrong(
        "conv2d: kernel flipped",
        conv(1, 1),
        lambda gy, x, w: (conv_gx(gy, x, w[:, :, ::-1, ::-1], 1, 1), conv_gw(gy, x, w, 1, 1)),
        CONV,
        "flipped kernel",
    ),
    Wrong(
        "conv2d: channels swapped",
        conv(1, 1),
        lambda gy, x, w: (conv_gx(gy, x, w.swapaxes(0, 1), 1, 1), None),
        CONV,
        "channels swapped",
    ),
    Wrong(
        "conv2d: gw channels swapped",
        conv(),
        lambda gy, x, w: (None, conv_gw(gy, x, w).swapaxes(0, 1)),
        CONV,
        "channels swapped",
        1,
    ),
    Wrong(
        "conv2d: gw flipped", conv(), lambda gy, x, w: (None, conv_gw(gy, x, w)[:, :, ::-1, ::-1]), CONV, "flipped", 1
    ),
    Wrong(
        "conv2d: gw averaged", conv(), lambda gy, x, w: (None, conv_gw(gy, x, w) / len(x)), CONV3, "averaged batch", 1
    ),
    Wrong("conv2d: gw one sample", conv(), lambda gy, x, w: (None, conv_gw(gy[:1], x[:1], w)), CONV3, "sample lost", 1),
    Wrong(
        "conv2d: stride ignored", conv(2, 1), lambda gy, x, w: (conv_gx(gy, x, w, 1, 1), None), CONV3, "stride ignored"
    ),
    Wrong(
        "conv2d: stride ignored in gw",
        conv(2, 1),
        lambda gy, x, w: (None, conv_gw(gy, x, w, 1, 1)),
        CONV3,
        "stride ignored",
        1,
    ),
    Wrong(
        "conv2d: padding cropped wrongly",
        conv(1, 1),
        lambda gy, x, w: (conv_gx(gy, x, w, 1, 1, origin=0), None),
        CONV3,
        "padding shifted",
    ),
    Wrong(
        "conv2d: border dropped",
        conv(2, 0),
        lambda gy, x, w: (np.pad(conv_gx(gy, x, w, 2)[:, :, :4, :4], [(0, 0), (0, 0), (0, 1), (0, 1)]), None),
        ((2, 2, 5, 5), (3, 2, 3, 3)),
        "last row column 0",
    ),
    Wrong(
        "conv2d: padding kept",
        conv(1, 1),
        lambda gy, x, w: (conv_gx(gy, np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)]), w, 1, 0), None),
        CONV3,
        "padding cropped",
    ),
    Wrong(
        "conv2d: gb over batch only",
        conv(),
        lambda gy, x, w, b: (None, None, gy.sum((0, 3, 2)) / gy.shape[2]),
        (*CONV3, (3,)),
        "4",
        2,
    ),
    Wrong(
        "max_pool: all of the window",
        max_pool(2, 2),
        lambda gy, x: pooled_back(x, 2, 2, lambda w, p, q: np.ones_like(w) * gy[:, :, p : p + 1, q : q + 1]),
        PLANE,
        "every element window maximum",
    ),
    Wrong(
        "max_pool: averaged",
        max_pool(2, 2),
        lambda gy, x: pooled_back(x, 2, 2, lambda w, p, q: np.ones_like(w) * gy[:, :, p : p + 1, q : q + 1] / 4),
        PLANE,
        "average",
    ),
    Wrong(
        "max_pool: first element", max_pool(2, 2), lambda gy, x: put(x.shape, np.s_[:, :, ::2, ::2], gy), PLANE, "first"
    ),
    Wrong(
        "max_pool: overlaps assigned",
        max_pool(3, 1),
        lambda gy, x: pooled_back(x, 3, 1, lambda w, p, q: is_max(w) * gy[:, :, p : p + 1, q : q + 1], assign=True),
        IMAGE,
        "last assigned overlap",
    ),
    Wrong(
        "avg_pool: not divided",
        avg_pool(2, 2),
        lambda gy, x: pooled_back(x, 2, 2, lambda w, p, q: np.ones_like(w) * gy[:, :, p : p + 1, q : q + 1]),
        PLANE,
        "not divided window",
    ),
    Wrong(
        "avg_pool: count at the edges",
        avg_pool(3, 2, 1),
        lambda gy, x: pooled_back(
            x,
            3,
            2,
            lambda w, p, q: (
                np.ones_like(w) * gy[:, :, p : p + 1, q : q + 1] / ((2 if p == 0 else 3) * (2 if q == 0 else 3))
            ),
            pad=1,
        ),
        ((2, 1, 6, 6),),
        "edges",
    ),
    Wrong(
        "global_avg_pool: not divided",
        lambda x: x.mean((2, 3)),
        lambda gy, x: np.broadcast_to(gy[:, :, None, None], x.shape),
        IMAGE,
        "not divided 25",
    ),
    Wrong("global_avg_pool: not expanded", lambda x: x.mean((2, 3)), lambda gy, x: gy / 25, IMAGE, "expanded"),
    Wrong(
        "upsample: not summed",
        lambda x: x.repeat(2, 0).repeat(2, 1),
        lambda gy, x: gy[::2, ::2],
        X,
        "lost|overwritten|first",
    ),
    Wrong(
        "conv1d: kernel flipped",
        conv1d,
        lambda gy, x, w: (conv1d_gx(gy, x, w[:, :, ::-1]), None),
        ((2, 2, 7), (3, 2, 3)),
        "flipped",
    ),
    Wrong(
        "depthwise: kernel flipped",
        depthwise,
        lambda gy, x, w: (np.einsum("ncpqij,cij->ncpq", windows(gy, 3, 1, 1), w), None),
        ((2, 3, 4, 4), (3, 3, 3)),
        "flipped",
    ),
    Wrong(
        "conv2d: last positions skipped",
        conv(2, 0),
        lambda gy, x, w: (strided_loop(gy, x, w, 2, 1), None),
        ((2, 2, 7, 7), (3, 2, 3, 3)),
        "last_row|last_column",
    ),
    Wrong(
        "conv2d: assigned in the loop",
        conv(1, 0),
        lambda gy, x, w: (
            (
                lambda gx: (
                    [
                        gx.__setitem__(np.s_[:, :, p : p + 3, q : q + 3], np.einsum("no,ocij->ncij", gy[:, :, p, q], w))
                        for p in range(3)
                        for q in range(3)
                    ]
                    and gx
                )
            )(np.zeros_like(x)),
            None,
        ),
        CONV,
        "overwritten",
    ),
    Wrong(
        "conv2d: gw of the unpadded x",
        conv(1, 1),
        lambda gy, x, w: (None, conv_gw(gy[:, :, 1:-1, 1:-1], x, w)),
        CONV3,
        "rows columns lost",
        1,
    ),
    Wrong(
        "conv2d: one output channel",
        conv(1, 1),
        lambda gy, x, w: (conv_gx(gy[:, :1], x, w[:1], 1, 1), None),
        CONV3,
        "channel",
    ),
)
