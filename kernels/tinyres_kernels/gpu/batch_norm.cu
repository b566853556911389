// Batch norm over rows of channels (channels.cuh). The formulas are those of reference/batch_norm.py.
//
//                                 reads        writes
//     batch_norm_moments          x
//     batch_norm_join_moments
//     batch_norm_track
//     batch_norm                  x            y
//     batch_norm_sums             gy, x
//     batch_norm_join_sums
//     batch_norm_grad_x           gy, x        gx
//
// The kernels that read no activation handle a few numbers for each channel. Array code would need some ten kernels for
// that, and on a GPU each takes a microsecond or more, however little it does.
#include "channels.cuh"

// x (M,C) -> for every block: sums = Σ x and squares = Σ (x − their mean)², to be joined. The second pass over the
// block's rows finds them in a cache. (As mean(x²) − mean(x)², the variance would be lost where the mean is large.)
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

// Every part's sums and squares -> mean, var, r = 1/√(var + eps). They are joined exactly (Chan, Golub & LeVeque 1983,
// eq. 2.1): the distance between the parts' means is a deviation too. In float64, for these are only C numbers a part.
extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_join_moments(
    const double* sums, const double* squares, real* mean, real* var, real* r, real eps, int parts, int part, int M,
    int C
) {
    SHARED(double, shared);
    double mine = 0;
    down_the_channel(parts, parts, C, [&](int i) { mine += sums[i]; });
    const double mean_c = sum_in_channel(mine, shared) / M;
    mine = 0;
    down_the_channel(parts, parts, C, [&](int i) {
        const int count = i / C < parts - 1 ? part : M - part * (parts - 1);
        const double apart = sums[i] / count - mean_c;
        mine += squares[i] + count * apart * apart;
    });
    const real var_c = sum_in_channel(mine, shared) / M;
    if (threadIdx.x >= WIDTH || my_channel() >= C) return;
    mean[my_channel()] = mean_c;
    var[my_channel()] = var_c;
    r[my_channel()] = 1 / sqrt(var_c + eps);
}

// unbiased = M / (M − 1)
extern "C" __global__ void batch_norm_track(
    real* running_mean, real* running_var, const real* mean, const real* var, real momentum, real unbiased, int C
) {
    FOR_EACH(c, C) {
        running_mean[c] += momentum * (mean[c] - running_mean[c]);
        running_var[c] += momentum * (var[c] * unbiased - running_var[c]);
    }
}

// y = (x − mean)·gamma·r + beta
extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm(
    const real* x, const real* mean, const real* r, const real* gamma, const real* beta, real* y, int part, int M, int C
) {
    if (my_channel() >= C) return;
    const real mean_c = mean[my_channel()], scale_c = gamma[my_channel()] * r[my_channel()], beta_c = beta[my_channel()];
    down_the_channel(part, M, C, [&](int i) { y[i] = (x[i] - mean_c) * scale_c + beta_c; });
}

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_sums(
    const real* gy, const real* x, const real* mean, double* sums, double* products, int part, int M, int C
) {
    write_gradient_sums([&](int i) { return gy[i]; }, x, mean, sums, products, part, M, C);
}

// Every part's Σ gy and Σ gy·(x − mean) -> gbeta, ggamma
extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_join_sums(
    const double* sums, const double* products, const real* r, real* gbeta, real* ggamma, int parts, int C
) {
    SHARED(double, shared);
    double sum = 0, product = 0;
    down_the_channel(parts, parts, C, [&](int i) { sum += sums[i], product += products[i]; });
    sum = sum_in_channel(sum, shared);
    product = sum_in_channel(product, shared);
    if (threadIdx.x >= WIDTH || my_channel() >= C) return;
    gbeta[my_channel()] = sum;
    ggamma[my_channel()] = product * r[my_channel()];
}

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_grad_x(
    const real* gy, const real* x, const real* mean, const real* r, const real* gamma, const real* gbeta,
    const real* ggamma, real* gx, int part, int M, int C
) {
    write_grad_x([&](int i) { return gy[i]; }, x, mean, r, gamma, gbeta, ggamma, gx, part, M, C);
}
