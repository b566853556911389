// Max pooling over NHWC bytes, a thread for every number that is written. The rules for ties and NaN are those of
// reference/max_pool2d.py: the first of equal maxima wins, and a NaN wins over everything.
#include "common.cuh"

// x (N,H,W,C) -> y, argmax (N,P,Q,C); count = N·P·Q·C
extern "C" __global__ void max_pool2d(
    const real* x, real* y, int* argmax, int count, int C, int H, int W, int P, int Q, int KH, int KW, int s_rows,
    int s_columns, int pad_rows, int pad_columns
) {
    FOR_EACH(at, count) {
        const int c = at % C, q = at / C % Q, p = at / C / Q % P, n = at / C / Q / P;
        real largest = 0;
        int place = -1;  // nothing seen yet
        for (int i = 0; i < KH; i++)
            for (int j = 0; j < KW; j++) {
                const int row = p * s_rows + i - pad_rows, column = q * s_columns + j - pad_columns;
                if (row < 0 || row >= H || column < 0 || column >= W) continue;
                const real value = x[((n * H + row) * W + column) * C + c];
                if (place < 0 || value > largest || value != value) largest = value, place = i * KW + j;
            }
        y[at] = largest;
        argmax[at] = place;
    }
}

// gy, argmax (N,P,Q,C) -> gx (N,H,W,C); count = N·H·W·C. Each input asks the windows that it was in: so nobody has to
// add to a number that another thread adds to, and the sum is the same every time.
extern "C" __global__ void max_pool2d_grad_x(
    const real* gy, const int* argmax, real* gx, int count, int C, int H, int W, int P, int Q, int KH, int KW,
    int s_rows, int s_columns, int pad_rows, int pad_columns
) {
    FOR_EACH(at, count) {
        const int c = at % C, column = at / C % W + pad_columns, row = at / C / W % H + pad_rows, n = at / C / W / H;
        real sum = 0;
        for (int i = row % s_rows; i < KH && i <= row; i += s_rows)
            for (int j = column % s_columns; j < KW && j <= column; j += s_columns) {
                const int p = (row - i) / s_rows, q = (column - j) / s_columns;
                if (p >= P || q >= Q) continue;
                const int from = ((n * P + p) * Q + q) * C + c;
                if (argmax[from] == i * KW + j) sum += gy[from];
            }
        gx[at] = sum;
    }
}
