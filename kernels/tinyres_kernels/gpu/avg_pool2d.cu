// Average pooling over NHWC bytes. reference/avg_pool2d.py says which places of a window count at the border and beyond
// it. Forward has a thread for every number that is written, because before the last layer these are few. Backward has
// one for every vector (vector.cuh): to find the windows takes divisions, which four channels share.
#include "pooling.cuh"
#include "vector.cuh"

// The number of a window's places along one axis that count: those inside length + padding, or inside the length alone.
__device__ inline int counted(int window, int length, int kernel, int stride, int padding, int include_pad) {
    int first = window * stride - padding, last = first + kernel < length + padding ? first + kernel : length + padding;
    if (!include_pad) first = first > 0 ? first : 0, last = last < length ? last : length;
    return last - first;
}

// The number of places of the window of y[at] that count.
__device__ inline int places_of(const Pooling& p, int at, int include_pad) {
    return counted(at / p.C / p.Q % p.P, p.H, p.KH, p.s_rows, p.pad_rows, include_pad) *
           counted(at / p.C % p.Q, p.W, p.KW, p.s_columns, p.pad_columns, include_pad);
}

// x (N,H,W,C) -> y (N,P,Q,C); count = N·P·Q·C
extern "C" __global__ void avg_pool2d(
    const real* __restrict__ x, real* __restrict__ y, int count, int include_pad, int C, int H, int W, int P, int Q,
    int KH, int KW, int s_rows, int s_columns, int pad_rows, int pad_columns
) {
    const Pooling pooling = {C, H, W, P, Q, KH, KW, s_rows, s_columns, pad_rows, pad_columns};
    FOR_EACH(at, count) {
        real sum = 0;
        pooling.over_window(at, [&](int, int, int from) { sum += x[from]; });
        y[at] = sum / places_of(pooling, at, include_pad);
    }
}

// gy (N,P,Q,C) -> gx (N,H,W,C), where C counts vectors; count = N·H·W·C
extern "C" __global__ void avg_pool2d_grad_x(
    const real* __restrict__ gy, real* __restrict__ gx, int count, int include_pad, int C, int H, int W, int P, int Q,
    int KH, int KW, int s_rows, int s_columns, int pad_rows, int pad_columns
) {
    const Pooling pooling = {C, H, W, P, Q, KH, KW, s_rows, s_columns, pad_rows, pad_columns};
    FOR_EACH(at, count) {
        Numbers sum = {};
        pooling.over_windows_of(at, [&](int, int, int from) {
            sum = sum + real(1) / places_of(pooling, from, include_pad) * load(gy, from * VECTOR);
        });
        store(gx, at * VECTOR, sum);
    }
}
