// y = max(batch_norm(x) + residual, 0) in one pass: the end of a residual block.
#include "batch_norm.cuh"

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_add_relu(
    const real* __restrict__ x, const real* __restrict__ residual, const real* mean, const real* r, const real* gamma,
    const real* beta, real* __restrict__ y, int rows, int M, int C
) {
    const Normalise normalised = normalise(mean, r, gamma, beta, C);
    down_my_rows(rows, M, C, [&](int i) { store(y, i, relu(normalised(load(x, i)) + load(residual, i))); });
}

// g = gy where y > 0, else 0. It is the gradient of the residual, so it is written, and summed on the way.
extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_add_relu_grad_sums(
    const real* __restrict__ gy, const real* __restrict__ y, const real* __restrict__ x, const real* mean,
    const real* r, real* parts, real* __restrict__ g, real* gbeta, real* ggamma, int rows, int M, int C
) {
    const auto gate = [&](int i) {
        const Numbers open = gated(load(gy, i), load(y, i));
        store(g, i, open);
        return open;
    };
    write_grad_sums(gate, x, mean, r, parts, gbeta, ggamma, rows, M, C);
}
