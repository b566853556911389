// y = max(batch_norm(x), 0) in one pass. Backward computes again from x where y > 0: that is cheaper than reading y.
#include "channels.cuh"

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_relu(
    const real* x, const real* mean, const real* r, const real* gamma, const real* beta, real* y, int part, int M, int C
) {
    if (my_channel() >= C) return;
    const real mean_c = mean[my_channel()], scale_c = gamma[my_channel()] * r[my_channel()], beta_c = beta[my_channel()];
    down_the_channel(part, M, C, [&](int i) { y[i] = relu((x[i] - mean_c) * scale_c + beta_c); });
}

// gy where y > 0, else 0
struct Gate {
    const real *gy, *x;
    real mean, scale, beta;
    __device__ real operator()(int i) const { return (x[i] - mean) * scale + beta > 0 ? gy[i] : real(0); }
};

__device__ inline Gate gate(
    const real* gy, const real* x, const real* mean, const real* r, const real* gamma, const real* beta, int C
) {
    const int c = my_channel() < C ? my_channel() : 0;
    return {gy, x, mean[c], gamma[c] * r[c], beta[c]};
}

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_relu_sums(
    const real* gy, const real* x, const real* mean, const real* r, const real* gamma, const real* beta, double* sums,
    double* products, int part, int M, int C
) {
    write_gradient_sums(gate(gy, x, mean, r, gamma, beta, C), x, mean, sums, products, part, M, C);
}

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_relu_grad_x(
    const real* gy, const real* x, const real* mean, const real* r, const real* gamma, const real* beta,
    const real* gbeta, const real* ggamma, real* gx, int part, int M, int C
) {
    write_grad_x(gate(gy, x, mean, r, gamma, beta, C), x, mean, r, gamma, gbeta, ggamma, gx, part, M, C);
}
