// Batch norm over rows of channels (channels.cuh). The formulas are those of reference/batch_norm.py.
//
//                                 reads        writes
//     batch_norm_statistics       x
//     batch_norm_track
//     batch_norm                  x            y
//     batch_norm_grad_sums        gy, x
//     batch_norm_grad_x           gy, x        gx
//
// The kernel that reads no activation handles a few numbers for each channel. Array code would need some ten kernels
// for that, and on a GPU each takes two microseconds or more, however little it does.
#include "batch_norm.cuh"

// x (M,C) -> mean, var, r = 1/√(var + eps) (C). As mean(x²) − mean(x)², the variance would be lost where the mean is
// large. So x is measured from the first row of the block. That is one of the numbers, so it is as near to their mean
// as they are. The parts are joined exactly (Chan, Golub & LeVeque 1983, eq. 2.1): the distance between their means is
// a deviation too; it is measured from the mean of the first part.
extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_statistics(
    const real* __restrict__ x, real* parts, real* mean, real* var, real* r, real eps, int rows, int M, int C
) {
    SHARED(Sums, shared);
    const int first = blockIdx.x * rows, count = first + rows < M ? rows : M - first;
    const Numbers start = of_my_channels(x + first * C, C);
    Sums mine = {};
    down_my_rows(
        rows, M, C, [&](int i) { return load(x, i) - start; },
        [&](int, const Numbers& apart) { mine = mine + Sums{apart, apart * apart}; }
    );
    add_up_channels(mine, shared);
    const auto mean_and_squares = [&](int channel, const Sums& sums) {  // Σ (x − the block's mean)²
        const Numbers apart = real(1) / count * sums.first;
        return Sums{load(x, first * C + channel) + apart, sums.second - apart * sums.first};
    };
    if (!hand_in(mean_and_squares, shared, parts, C)) return;

    const Numbers first_mean = of_my_channels(parts, C);
    const auto deviation = [&](int i, const Sums& part) {  // its mean and squares
        const double values = i < (gridDim.x - 1) * C ? rows : M - rows * (gridDim.x - 1);
        const auto apart = as_doubles(part.first) - as_doubles(first_mean);
        return Joined{values * apart, as_doubles(part.second) + values * apart * apart};
    };
    const Joined sums = join_parts(deviation, parts, C);
    if (threadIdx.x >= ACROSS || my_channel() >= C) return;
    const auto apart = 1.0 / M * sums.first, variance = 1.0 / M * (sums.second - apart * sums.first);
    store(mean, my_channel(), each([&](int k) { return real(first_mean.of[k] + apart.of[k]); }));
    store(var, my_channel(), each([&](int k) { return real(variance.of[k]); }));
    store(r, my_channel(), each([&](int k) { return real(1 / sqrt(real(variance.of[k]) + eps)); }));
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

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm(
    const real* __restrict__ x, const real* mean, const real* r, const real* gamma, const real* beta,
    real* __restrict__ y, int rows, int M, int C
) {
    const Normalise normalised = normalise(mean, r, gamma, beta, C);
    down_my_rows(
        rows, M, C, [&](int i) { return load(x, i); },
        [&](int i, const Numbers& x_i) { store(y, i, normalised(x_i)); }
    );
}

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_grad_sums(
    const real* __restrict__ gy, const real* __restrict__ x, const real* mean, const real* r, real* parts, real* gbeta,
    real* ggamma, int rows, int M, int C
) {
    const auto read = [&](int i) { return GyAndX{load(gy, i), load(x, i)}; };
    const auto no_gate = [](int, const GyAndX& both) { return both; };
    write_grad_sums(read, no_gate, mean, r, parts, gbeta, ggamma, rows, M, C);
}

extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) batch_norm_grad_x(
    const real* __restrict__ gy, const real* __restrict__ x, const real* mean, const real* r, const real* gamma,
    const real* gbeta, const real* ggamma, real* __restrict__ gx, int rows, int M, int C
) {
    const auto read = [&](int i) { return GyAndX{load(gy, i), load(x, i)}; };
    const auto no_gate = [](int, const GyAndX& both) { return both; };
    write_grad_x(read, no_gate, mean, r, gamma, gbeta, ggamma, gx, rows, M, C);
}
