// Max pooling over NHWC bytes, one thread for every number that is written. The rules for ties and NaN are those of
// reference/max_pool2d.py: the first of equal maxima wins, and a NaN wins over everything.
#include "pooling.cuh"

// x (N,H,W,C) -> y, argmax (N,P,Q,C); count = N·P·Q·C
extern "C" __global__ void max_pool2d(
    const real* x, real* y, int* argmax, int count, int C, int H, int W, int P, int Q, int KH, int KW, int s_rows,
    int s_columns, int pad_rows, int pad_columns
) {
    const Pooling pooling = {C, H, W, P, Q, KH, KW, s_rows, s_columns, pad_rows, pad_columns};
    FOR_EACH(at, count) {
        real largest = 0;
        int place = -1;  // nothing seen yet
        pooling.over_window(at, [&](int i, int j, int from) {
            const real value = x[from];
            if (place < 0 || value > largest || value != value) largest = value, place = i * KW + j;
        });
        y[at] = largest;
        argmax[at] = place;
    }
}

// gy, argmax (N,P,Q,C) -> gx (N,H,W,C); count = N·H·W·C
extern "C" __global__ void max_pool2d_grad_x(
    const real* gy, const int* argmax, real* gx, int count, int C, int H, int W, int P, int Q, int KH, int KW,
    int s_rows, int s_columns, int pad_rows, int pad_columns
) {
    const Pooling pooling = {C, H, W, P, Q, KH, KW, s_rows, s_columns, pad_rows, pad_columns};
    FOR_EACH(at, count) {
        real sum = 0;
        pooling.over_windows_of(at, [&](int i, int j, int from) {
            if (argmax[from] == i * KW + j) sum += gy[from];
        });
        gx[at] = sum;
    }
}
