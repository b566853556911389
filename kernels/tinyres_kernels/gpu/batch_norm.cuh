// What batch norm's kernels share, alone or fused with what follows it.
#pragma once
#include "channel_sums.cuh"

// (x − mean)·gamma·r + beta, for this thread's channels
struct Normalise {
    Numbers mean, scale, beta;
    __device__ Numbers operator()(const Numbers& x) const { return (x - mean) * scale + beta; }
};

__device__ inline Normalise normalise(
    const real* mean, const real* r, const real* gamma, const real* beta, int C
) {
    const Numbers scale = of_my_channels(gamma, C) * of_my_channels(r, C);
    return {of_my_channels(mean, C), scale, of_my_channels(beta, C)};
}

// gbeta = Σ g and ggamma = r · Σ g·(x − mean), which every batch norm's backward needs. g(i) is gy[i …].
template <class G>
__device__ void write_grad_sums(
    const G& g, const real* x, const real* mean, const real* r, real* parts, real* gbeta, real* ggamma, int rows, int M,
    int C
) {
    SHARED(Sums, shared);
    const Numbers my_mean = of_my_channels(mean, C);
    Sums mine = {};
    down_my_rows(rows, M, C, [&](int i) {
        const Numbers gy = g(i);
        mine = mine + Sums{gy, gy * (load(x, i) - my_mean)};
    });
    add_up_channels(mine, shared);
    if (!hand_in([](int, const Sums& sums) { return sums; }, shared, parts, C)) return;

    const Joined sums = join_parts(
        [](int, const Numbers& sum, const Numbers& product) { return Joined{as_doubles(sum), as_doubles(product)}; },
        parts, C
    );
    if (threadIdx.x >= ACROSS || my_channel() >= C) return;
    const Numbers my_r = of_my_channels(r, C);
    store(gbeta, my_channel(), each([&](int k) { return real(sums.first.of[k]); }));
    store(ggamma, my_channel(), each([&](int k) { return real(sums.second.of[k] * my_r.of[k]); }));
}

// gx = gamma·r·(gy − gbeta/M − x̂·ggamma/M) = a·gy − b − c·(x − mean). g(i) is gy[i …].
template <class G>
__device__ void write_grad_x(
    const G& g, const real* x, const real* mean, const real* r, const real* gamma, const real* gbeta,
    const real* ggamma, real* gx, int rows, int M, int C
) {
    const Numbers my_mean = of_my_channels(mean, C), my_r = of_my_channels(r, C);
    const Numbers a = of_my_channels(gamma, C) * my_r, a_of_each = real(1) / M * a;
    const Numbers b = a_of_each * of_my_channels(gbeta, C), c = a_of_each * my_r * of_my_channels(ggamma, C);
    down_my_rows(rows, M, C, [&](int i) { store(gx, i, a * g(i) - b - c * (load(x, i) - my_mean)); });
}
