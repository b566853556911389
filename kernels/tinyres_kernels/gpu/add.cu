// y = a + b, number by number.
#include "common.cuh"

extern "C" __global__ void add(const real* a, const real* b, real* y, int count) {
    FOR_EACH(i, count) y[i] = a[i] + b[i];
}
