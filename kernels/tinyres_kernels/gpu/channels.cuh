// What kernels share that treat each channel separately: x as M rows of C channels (NHWC bytes).
//
//              channels
//           c0…3 c4…7 …           A block has WIDTH channels and takes `rows` rows, a thread VECTOR channels of every
//     rows  ▒▒▒▒ ▒▒▒▒             DEEP-th of them. Neighbouring threads read neighbouring numbers. A thread stays in its
//           ▒▒▒▒ ▒▒▒▒             channels, so it can keep what belongs to them (their means, say) in registers.
//
// These kernels hardly compute; what counts is that each reads and writes every number once, and that many reads are
// under way at a time. Where the numbers come from memory, the least time is bytes over 3.35 TB/s on an H100.
#pragma once
#include "vector.cuh"

#ifndef WIDTH
#define WIDTH 32
#endif
constexpr int CHANNEL_THREADS = 256, ACROSS = WIDTH / VECTOR, DEEP = CHANNEL_THREADS / ACROSS;

// The first of this thread's channels. C is a multiple of VECTOR, so it has all of them or none.
__device__ inline int my_channel() { return blockIdx.y * WIDTH + threadIdx.x % ACROSS * VECTOR; }

// A number for each of this thread's channels; `values` need not be aligned.
__device__ inline Numbers of_my_channels(const real* values, int C) {
    return each([&](int k) { return my_channel() < C ? values[my_channel() + k] : real(0); });
}

// Calls f(i) for this thread's numbers x[i] … x[i + VECTOR − 1] in the rows first, …, last − 1.
template <class F>
__device__ void down_the_channels(int first, int last, int C, const F& f) {
    if (my_channel() >= C) return;
#pragma unroll 4
    for (int m = first + threadIdx.x / ACROSS; m < last; m += DEEP) f(m * C + my_channel());
}

// The same for the rows of this block.
template <class F>
__device__ void down_my_rows(int rows, int M, int C, const F& f) {
    const int first = blockIdx.x * rows;
    down_the_channels(first, first + rows < M ? first + rows : M, C, f);
}

// Leaves in shared[a] the sum of `mine` over the threads a, a + ACROSS, a + 2·ACROSS, …, which have the same channels.
// All threads of the block must come here, and may read it afterwards.
template <class T>
__device__ void add_up_channels(const T& mine, T* shared) {
    shared[threadIdx.x] = mine;
    __syncthreads();
    for (int half = DEEP / 2; half > 0; half /= 2) {
        if (threadIdx.x < half * ACROSS) shared[threadIdx.x] = shared[threadIdx.x] + shared[threadIdx.x + half * ACROSS];
        __syncthreads();
    }
}
