// y[i] = Σ parts[p, i], always in the same order; conv2d_grad_w uses it. A block has 32 numbers i: each of its warps
// adds up every eighth part, and the first warp these eight sums.
#include "common.cuh"

extern "C" __global__ void add_up(const real* parts, real* y, int P, int count) {
    SHARED(real, sums);  // (warps, WARP)
    const int warps = blockDim.x / WARP, warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const int i = blockIdx.x * WARP + lane;
    real sum = 0;
    if (i < count)
#pragma unroll 8
        for (int p = warp; p < P; p += warps) sum += parts[p * count + i];
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (warp > 0 || i >= count) return;
    for (int w = 1; w < warps; w++) sum += sums[w * WARP + lane];
    y[i] = sum;
}
