// What max and average pooling share, over NHWC bytes: which inputs a window sees, and which windows see an input.
#pragma once
#include "common.cuh"

struct Pooling {
    int C, H, W, P, Q, KH, KW, s_rows, s_columns, pad_rows, pad_columns;

    // f(i, j, from) for the places of the window of y[at] that are inside the image: place (i, j) is x[from].
    template <class F>
    __device__ void over_window(int at, const F& f) const {
        const int c = at % C, q = at / C % Q, p = at / C / Q % P, n = at / C / Q / P;
        const int row = p * s_rows - pad_rows, column = q * s_columns - pad_columns;  // of place (0, 0)
        const int last_i = min(KH, H - row), last_j = min(KW, W - column);
        for (int i = max(0, -row); i < last_i; i++)
#pragma unroll 8  // eight reads are under way at a time
            for (int j = max(0, -column); j < last_j; j++) f(i, j, ((n * H + row + i) * W + column + j) * C + c);
    }

    // f(i, j, from) for the windows that see x[at], at their place (i, j): such a window's output is y[from]. In
    // backward each input asks its windows for their gradients. So no thread adds to a number that another thread adds
    // to, and the sum is the same every time.
    template <class F>
    __device__ void over_windows_of(int at, const F& f) const {
        const int c = at % C, column = at / C % W + pad_columns, row = at / C / W % H + pad_rows, n = at / C / W / H;
        for (int i = row % s_rows; i < KH && i <= row; i += s_rows)
            for (int j = column % s_columns; j < KW && j <= column; j += s_columns) {
                const int p = (row - i) / s_rows, q = (column - j) / s_columns;
                if (p < P && q < Q) f(i, j, ((n * P + p) * Q + q) * C + c);
            }
    }
};
