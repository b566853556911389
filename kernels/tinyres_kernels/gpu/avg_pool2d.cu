// Average pooling over NHWC bytes, a thread for every number that is written. What counts as a place of the window, at
// the border and beyond it, is said in reference/avg_pool2d.py.
#include "common.cuh"

// How many of the window's places along one axis count: all inside of length + padding, or of the length alone.
__device__ inline int counted(int window, int length, int kernel, int stride, int padding, int include_pad) {
    int first = window * stride - padding, last = first + kernel < length + padding ? first + kernel : length + padding;
    if (!include_pad) first = first > 0 ? first : 0, last = last < length ? last : length;
    return last - first;
}

// x (N,H,W,C) -> y (N,P,Q,C); count = N·P·Q·C
extern "C" __global__ void avg_pool2d(
    const real* x, real* y, int count, int include_pad, int C, int H, int W, int P, int Q, int KH, int KW, int s_rows,
    int s_columns, int pad_rows, int pad_columns
) {
    FOR_EACH(at, count) {
        const int c = at % C, q = at / C % Q, p = at / C / Q % P, n = at / C / Q / P;
        real sum = 0;
        for (int i = 0; i < KH; i++)
            for (int j = 0; j < KW; j++) {
                const int row = p * s_rows + i - pad_rows, column = q * s_columns + j - pad_columns;
                if (row >= 0 && row < H && column >= 0 && column < W) sum += x[((n * H + row) * W + column) * C + c];
            }
        y[at] = sum / (counted(p, H, KH, s_rows, pad_rows, include_pad) *
                       counted(q, W, KW, s_columns, pad_columns, include_pad));
    }
}

// gy (N,P,Q,C) -> gx (N,H,W,C); count = N·H·W·C
extern "C" __global__ void avg_pool2d_grad_x(
    const real* gy, real* gx, int count, int include_pad, int C, int H, int W, int P, int Q, int KH, int KW, int s_rows,
    int s_columns, int pad_rows, int pad_columns
) {
    FOR_EACH(at, count) {
        const int c = at % C, column = at / C % W + pad_columns, row = at / C / W % H + pad_rows, n = at / C / W / H;
        real sum = 0;
        for (int i = row % s_rows; i < KH && i <= row; i += s_rows)
            for (int j = column % s_columns; j < KW && j <= column; j += s_columns) {
                const int p = (row - i) / s_rows, q = (column - j) / s_columns;
                if (p >= P || q >= Q) continue;
                sum += gy[((n * P + p) * Q + q) * C + c] / (counted(p, H, KH, s_rows, pad_rows, include_pad) *
                                                            counted(q, W, KW, s_columns, pad_columns, include_pad));
            }
        gx[at] = sum;
    }
}
