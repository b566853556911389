// Batch normalisation over rows of channels (channels.cuh). The formulas are those of reference/batch_norm.py.
//
//                              reads        writes
//     batch_norm_moments       x
//     batch_norm               x            y
//     batch_norm_sums          gy, x
//     batch_norm_grad_x        gy, x        gx
#include "channels.cuh"

// x (M,C) -> of every block: sums = Σ x and squares = Σ (x − their mean)², which batch_norm.py joins. The second pass over
// the block's rows finds them in a cache; a variance as mean(x²) − mean(x)² would be lost where the mean is large.
extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_moments(
    const real* x, double* sums, double* squares, int part, int M, int C
) {
    SHARED(real, shared);
    const int first = blockIdx.x * part, count = first + part < M ? part : M - first;
    real mine = 0;
    down_the_channel(part, M, C, [&](int i) { mine += x[i]; });
    const real sum = sum_in_channel(mine, shared), mean = sum / count;
    mine = 0;
    down_the_channel(part, M, C, [&](int i) { mine += (x[i] - mean) * (x[i] - mean); });
    write_sum(sums, C, sum);
    write_sum(squares, C, sum_in_channel(mine, shared));
}

// y = (x − mean)·scale + beta
extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm(
    const real* x, const real* mean, const real* scale, const real* beta, real* y, int part, int M, int C
) {
    if (my_channel() >= C) return;
    const real mean_c = mean[my_channel()], scale_c = scale[my_channel()], beta_c = beta[my_channel()];
    down_the_channel(part, M, C, [&](int i) { y[i] = (x[i] - mean_c) * scale_c + beta_c; });
}

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_sums(
    const real* gy, const real* x, const real* mean, double* sums, double* products, int part, int M, int C
) {
    write_gradient_sums([&](int i) { return gy[i]; }, x, mean, sums, products, part, M, C);
}

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_grad_x(
    const real* gy, const real* x, const real* mean, const real* a, const real* b, const real* c, real* gx, int part,
    int M, int C
) {
    write_grad_x([&](int i) { return gy[i]; }, x, mean, a, b, c, gx, part, M, C);
}
