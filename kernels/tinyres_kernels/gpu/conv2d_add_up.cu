// y[i] = Σ parts[p, i], always in the same order. One thread for every number of y. conv2d_grad_w uses it.
#include "common.cuh"

extern "C" __global__ void add_up(const real* parts, real* y, int P, int count) {
    FOR_EACH(i, count) {
        real sum = 0;
        for (int p = 0; p < P; p++) sum += parts[p * count + i];
        y[i] = sum;
    }
}
