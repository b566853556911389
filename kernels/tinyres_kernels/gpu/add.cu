// y = a + b, number by number; count = how many vectors (vector.cuh).
#include "vector.cuh"

extern "C" __global__ void add(
    const real* __restrict__ a, const real* __restrict__ b, real* __restrict__ y, int count
) {
    FOR_EACH(i, count) store(y, i * VECTOR, load(a, i * VECTOR) + load(b, i * VECTOR));
}
