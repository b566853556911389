// y = max(x, 0), number by number.
#include "common.cuh"

extern "C" __global__ void relu(const real* x, real* y, int count) {
    FOR_EACH(i, count) y[i] = x[i] < 0 ? real(0) : x[i];  // a NaN stays NaN
}

extern "C" __global__ void relu_grad_x(const real* gy, const real* y, real* gx, int count) {
    FOR_EACH(i, count) gx[i] = y[i] > 0 ? gy[i] : real(0);
}
