// Cross-entropy of rows of K scores, one warp for each row: lane 0 takes classes 0, 32, 64, …, lane 1 classes 1, 33, …
//
//     p[k] = eˣᵏ / Σ_j eˣʲ        loss = −Σ_k t[k] · ln p[k]        t[k] = (1 − smoothing)·[k = label] + smoothing/K
//
// Since Σ_k t[k] · ln p[k] = (1 − smoothing) · ln p[label] + smoothing/K · Σ_k ln p[k], t is never written down. The
// formulas are those of reference/cross_entropy.py. Only a few kilobytes go in and out, so the launch takes most time.
#include "common.cuh"


// join(…) of the 32 lanes' values; every lane gets the result.
template <class Join>
__device__ real over_the_warp(real mine, const Join& join) {
    for (int apart = WARP / 2; apart > 0; apart /= 2) mine = join(mine, __shfl_xor_sync(~0u, mine, apart));
    return mine;
}

// x (N,K), labels (N) -> losses (N), p (N,K)
extern "C" __global__ void cross_entropy(
    const real* x, const int* labels, real* losses, real* p, real smoothing, int N, int K
) {
    const auto larger = [](real a, real b) { return a > b || a != a ? a : b; };  // a NaN stays NaN
    const auto sum = [](real a, real b) { return a + b; };
    const int n = (blockIdx.x * blockDim.x + threadIdx.x) / WARP, lane = threadIdx.x % WARP;
    if (n >= N) return;  // a whole warp
    const real* row = x + n * K;
    real largest = row[0];
    for (int k = lane; k < K; k += WARP) largest = larger(row[k], largest);
    largest = over_the_warp(largest, larger);
    real exponentials = 0;
    for (int k = lane; k < K; k += WARP) exponentials += exp(row[k] - largest);
    const real log_sum = log(over_the_warp(exponentials, sum));
    real of_all = 0;
    for (int k = lane; k < K; k += WARP) {
        const real log_p = row[k] - largest - log_sum;
        of_all += log_p;
        p[n * K + k] = exp(log_p);
    }
    of_all = over_the_warp(of_all, sum);
    if (lane == 0) losses[n] = -(1 - smoothing) * (row[labels[n]] - largest - log_sum) - smoothing / K * of_all;
}

// gy (N), p (N,K), labels (N) -> gx (N,K)
extern "C" __global__ void cross_entropy_grad_x(
    const real* gy, const real* p, const int* labels, real* gx, real smoothing, int K, int count
) {
    FOR_EACH(i, count) {
        const int n = i / K, k = i % K;
        gx[i] = gy[n] * (p[i] - ((k == labels[n] ? 1 - smoothing : real(0)) + smoothing / K));
    }
}
