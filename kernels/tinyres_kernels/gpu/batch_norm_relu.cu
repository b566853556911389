// y = max(batch_norm(x), 0) in one pass. Backward computes again from x where y > 0: that is cheaper than reading y.
#include "batch_norm.cuh"

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_relu(
    const real* __restrict__ x, const real* mean, const real* r, const real* gamma, const real* beta,
    real* __restrict__ y, int rows, int M, int C
) {
    const Normalise normalised = normalise(mean, r, gamma, beta, C);
    down_my_rows(
        rows, M, C, [&](int i) { return load(x, i); },
        [&](int i, const Numbers& x_i) { store(y, i, relu(normalised(x_i))); }
    );
}

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_relu_grad_sums(
    const real* __restrict__ gy, const real* __restrict__ x, const real* mean, const real* r, const real* gamma,
    const real* beta, real* parts, real* gbeta, real* ggamma, int rows, int M, int C
) {
    const Normalise normalised = normalise(mean, r, gamma, beta, C);
    const auto read = [&](int i) { return GyAndX{load(gy, i), load(x, i)}; };
    const auto gate = [&](int, const GyAndX& both) {
        return GyAndX{gated(both.gy, normalised(both.x)), both.x};
    };
    write_grad_sums(read, gate, mean, r, parts, gbeta, ggamma, rows, M, C);
}

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_relu_grad_x(
    const real* __restrict__ gy, const real* __restrict__ x, const real* mean, const real* r, const real* gamma,
    const real* beta, const real* gbeta, const real* ggamma, real* __restrict__ gx, int rows, int M, int C
) {
    const Normalise normalised = normalise(mean, r, gamma, beta, C);
    const auto read = [&](int i) { return GyAndX{load(gy, i), load(x, i)}; };
    const auto gate = [&](int, const GyAndX& both) {
        return GyAndX{gated(both.gy, normalised(both.x)), both.x};
    };
    write_grad_x(read, gate, mean, r, gamma, gbeta, ggamma, gx, rows, M, C);
}
