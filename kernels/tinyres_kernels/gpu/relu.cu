// y = max(x, 0), number by number; count = how many vectors (vector.cuh).
#include "vector.cuh"

extern "C" __global__ void relu(const real* __restrict__ x, real* __restrict__ y, int count) {
    FOR_EACH(i, count) store(y, i * VECTOR, relu(load(x, i * VECTOR)));
}

extern "C" __global__ void relu_grad_x(
    const real* __restrict__ gy, const real* __restrict__ y, real* __restrict__ gx, int count
) {
    FOR_EACH(i, count) store(gx, i * VECTOR, gated(load(gy, i * VECTOR), load(y, i * VECTOR)));
}
