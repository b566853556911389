// y = max(batch_norm(x) + residual, 0) in one pass: the end of a residual block.
#include "channels.cuh"

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_add_relu(
    const real* x, const real* residual, const real* mean, const real* r, const real* gamma, const real* beta, real* y,
    int part, int M, int C
) {
    if (my_channel() >= C) return;
    const real mean_c = mean[my_channel()], scale_c = gamma[my_channel()] * r[my_channel()], beta_c = beta[my_channel()];
    down_the_channel(part, M, C, [&](int i) { y[i] = relu((x[i] - mean_c) * scale_c + beta_c + residual[i]); });
}

// g = gy where y > 0, else 0. It is the gradient of the residual, so it is written, and summed on the way.
extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_add_relu_sums(
    const real* gy, const real* y, const real* x, const real* mean, real* g, double* sums, double* products, int part,
    int M, int C
) {
    const auto gated = [&](int i) {
        const real one = y[i] > 0 ? gy[i] : real(0);
        g[i] = one;
        return one;
    };
    write_gradient_sums(gated, x, mean, sums, products, part, M, C);
}
