// y = max(batch_norm(x) + residual, 0) in one pass: the end of a residual block.
#include "batch_norm.cuh"

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_add_relu(
    const real* __restrict__ x, const real* __restrict__ residual, const real* mean, const real* r, const real* gamma,
    const real* beta, real* __restrict__ y, int rows, int M, int C
) {
    const Normalise normalised = normalise(mean, r, gamma, beta, C);
    down_my_rows(
        rows, M, C, [&](int i) { return Pair<Numbers>{load(x, i), load(residual, i)}; },
        [&](int i, const Pair<Numbers>& both) { store(y, i, relu(normalised(both.first) + both.second)); }
    );
}

// g = gy where y > 0, else 0. It is the gradient of the residual, so it is written, and summed on the way.
extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_add_relu_grad_sums(
    const real* __restrict__ gy, const real* __restrict__ y, const real* __restrict__ x, const real* mean,
    const real* r, real* parts, real* __restrict__ g, real* gbeta, real* ggamma, int rows, int M, int C
) {
    struct Found {
        Numbers gy, y, x;
    };
    const auto read = [&](int i) { return Found{load(gy, i), load(y, i), load(x, i)}; };
    const auto gate = [&](int i, const Found& found) {
        const Numbers open = gated(found.gy, found.y);
        store(g, i, open);
        return GyAndX{open, found.x};
    };
    write_grad_sums(read, gate, mean, r, parts, gbeta, ggamma, rows, M, C);
}
