// What kernels share that treat each channel separately: x as M rows of C channels (NHWC bytes), one thread for a
// column.
//
//              channels
//           c0 c1 c2 c3 …         A block has WIDTH × 256/WIDTH threads and takes `part` rows of WIDTH channels.
//     rows  ▒▒ ▒▒ ▒▒ ▒▒           Neighbouring threads read neighbouring numbers. A thread stays in its channel, so it
//           ▒▒ ▒▒ ▒▒ ▒▒           can keep what belongs to the channel (its mean, say) in a register.
//
// These kernels hardly compute; what counts is that each reads and writes every number once. The least time they can
// take is bytes over the card's copy bandwidth, 4.3 TB/s on an H200. Not yet measured on a GPU.
#pragma once
#include "common.cuh"

#ifndef WIDTH
#define WIDTH 32
#endif
constexpr int CHANNEL_THREADS = 256, DEEP = CHANNEL_THREADS / WIDTH;

__device__ inline int my_channel() { return blockIdx.y * WIDTH + threadIdx.x % WIDTH; }

// Calls f(i) for every number of this thread's channel in this block's rows.
template <class F>
__device__ void down_the_channel(int part, int M, int C, const F& f) {
    if (my_channel() >= C) return;
    const int first = blockIdx.x * part, last = first + part < M ? first + part : M;
    for (int m = first + threadIdx.x / WIDTH; m < last; m += DEEP) f(m * C + my_channel());
}

// The sum of `mine` over the block's threads of one channel. All threads of the block must come here.
template <class Number>
__device__ Number sum_in_channel(Number mine, Number* shared) {
    shared[threadIdx.x] = mine;
    __syncthreads();
    for (int half = DEEP / 2; half > 0; half /= 2) {
        if (threadIdx.x < half * WIDTH) shared[threadIdx.x] += shared[threadIdx.x + half * WIDTH];
        __syncthreads();
    }
    const Number sum = shared[threadIdx.x % WIDTH];
    __syncthreads();  // before any thread writes there again
    return sum;
}

// sums[blockIdx.x, channel] = sum, written once
__device__ inline void write_sum(double* sums, int C, real sum) {
    if (threadIdx.x < WIDTH && my_channel() < C) sums[blockIdx.x * C + my_channel()] = sum;
}

// For each block and channel Σ g and Σ g·(x − mean), the two sums that every batch norm's backward needs. g(i) is gy.
template <class G>
__device__ void write_gradient_sums(
    const G& g, const real* x, const real* mean, double* sums, double* products, int part, int M, int C
) {
    SHARED(real, shared);
    const real mine = my_channel() < C ? mean[my_channel()] : real(0);
    real sum = 0, product = 0;
    down_the_channel(part, M, C, [&](int i) {
        const real one = g(i);
        sum += one;
        product += one * (x[i] - mine);
    });
    write_sum(sums, C, sum_in_channel(sum, shared));
    write_sum(products, C, sum_in_channel(product, shared));
}

// gx = gamma·r·(gy − gbeta/M − x̂·ggamma/M) = a·gy − b − c·(x − mean). g(i) is gy.
template <class G>
__device__ void write_grad_x(
    const G& g, const real* x, const real* mean, const real* r, const real* gamma, const real* gbeta,
    const real* ggamma, real* gx, int part, int M, int C
) {
    if (my_channel() >= C) return;
    const int k = my_channel();
    const real a = gamma[k] * r[k], b = a * gbeta[k] / M, c = a * r[k] * ggamma[k] / M, mean_k = mean[k];
    down_the_channel(part, M, C, [&](int i) { gx[i] = a * g(i) - b - c * (x[i] - mean_k); });
}

__device__ inline real relu(real x) { return x < 0 ? real(0) : x; }  // a NaN stays NaN
