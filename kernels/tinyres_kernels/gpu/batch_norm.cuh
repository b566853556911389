// What batch norm's kernels share, alone or fused with what follows it.
#pragma once
#include "channel_sums.cuh"

// (x − mean)·gamma·r + beta, for this thread's channels
struct Normalise {
    Numbers mean, scale, beta;
    __device__ Numbers operator()(const Numbers& x) const { return (x - mean) * scale + beta; }
};

__device__ inline Normalise normalise(const real* mean, const real* r, const real* gamma, const real* beta, int C) {
    const Numbers scale = of_my_channels(gamma, C) * of_my_channels(r, C);
    return {of_my_channels(mean, C), scale, of_my_channels(beta, C)};
}

// What the gradients are made of, for this thread's channels in one row.
struct GyAndX {
    Numbers gy, x;
};

// gbeta = Σ gy and ggamma = r · Σ gy·(x − mean), which every batch norm's backward needs. read(i) is what lies in
// memory for gy[i …] and x[i …]; gate(i, read(i)) makes GyAndX of it.
template <class Read, class Gate>
__device__ void write_grad_sums(
    const Read& read, const Gate& gate, const real* mean, const real* r, real* parts, real* gbeta, real* ggamma,
    int rows, int M, int C
) {
    SHARED(Sums, shared);
    const Numbers my_mean = of_my_channels(mean, C);
    Sums mine = {};
    down_my_rows(rows, M, C, read, [&](int i, const decltype(read(0))& found) {
        const GyAndX both = gate(i, found);
        mine = mine + Sums{both.gy, both.gy * (both.x - my_mean)};
    });
    add_up_channels(mine, shared);
    if (!hand_in([](int, const Sums& sums) { return sums; }, shared, parts, C)) return;

    const Joined sums = join_parts(
        [](int, const Sums& part) { return Joined{as_doubles(part.first), as_doubles(part.second)}; }, parts, C
    );
    if (threadIdx.x >= ACROSS || my_channel() >= C) return;
    const Numbers my_r = of_my_channels(r, C);
    store(gbeta, my_channel(), each([&](int k) { return real(sums.first.of[k]); }));
    store(ggamma, my_channel(), each([&](int k) { return real(sums.second.of[k] * my_r.of[k]); }));
}

// gx = gamma·r·(gy − gbeta/M − x̂·ggamma/M) = a·gy − b − c·(x − mean). read, gate: the same.
template <class Read, class Gate>
__device__ void write_grad_x(
    const Read& read, const Gate& gate, const real* mean, const real* r, const real* gamma, const real* gbeta,
    const real* ggamma, real* gx, int rows, int M, int C
) {
    const Numbers my_mean = of_my_channels(mean, C), my_r = of_my_channels(r, C);
    const Numbers a = of_my_channels(gamma, C) * my_r, a_of_each = real(1) / M * a;
    const Numbers b = a_of_each * of_my_channels(gbeta, C), c = a_of_each * my_r * of_my_channels(ggamma, C);
    down_my_rows(rows, M, C, read, [&](int i, const decltype(read(0))& found) {
        const GyAndX both = gate(i, found);
        store(gx, i, a * both.gy - b - c * (both.x - my_mean));
    });
}
