// What kernels share that treat each channel separately: x as M rows of C channels (NHWC bytes).
//
//              channels
//           c0…3 c4…7 …           A block has WIDTH channels and takes `rows` rows, a thread VECTOR channels of every
//     rows  ▒▒▒▒ ▒▒▒▒             DEEP-th of them. Neighbouring threads read neighbouring numbers. A thread stays in
//           ▒▒▒▒ ▒▒▒▒             its channels, so it can keep what belongs to them (their means, say) in registers.
//
// These kernels hardly compute; what counts is that each reads and writes every number once, and that many reads are
// under way at a time. Where the numbers come from memory, the least time is bytes over 3.35 TB/s on an H100.
#pragma once
#include "vector.cuh"

#ifndef WIDTH
#define WIDTH 32
#endif
constexpr int CHANNEL_THREADS = 256, ACROSS = WIDTH / VECTOR, DEEP = CHANNEL_THREADS / ACROSS, TOGETHER = 4;

// The first of this thread's channels. C is a multiple of VECTOR, so it has all of them or none.
__device__ inline int my_channel() { return blockIdx.y * WIDTH + threadIdx.x % ACROSS * VECTOR; }

// A number for each of this thread's channels; `values` need not be aligned.
__device__ inline Numbers of_my_channels(const real* values, int C) {
    return each([&](int k) { return my_channel() < C ? values[my_channel() + k] : real(0); });
}

// use(i, read(i)) for this thread's numbers x[i] … x[i + VECTOR − 1] in the rows first, …, last − 1. What several rows
// hold is read before any of it is used, so that these reads are under way together.
template <class Read, class Use>
__device__ void down_the_channels(int first, int last, int C, const Read& read, const Use& use) {
    if (my_channel() >= C) return;
    for (int m = first + threadIdx.x / ACROSS; m < last; m += TOGETHER * DEEP) {
        decltype(read(0)) found[TOGETHER];
        for (int k = 0; k < TOGETHER; k++)
            if (m + k * DEEP < last) found[k] = read((m + k * DEEP) * C + my_channel());
        for (int k = 0; k < TOGETHER; k++)
            if (m + k * DEEP < last) use((m + k * DEEP) * C + my_channel(), found[k]);
    }
}

// The same for the rows of this block.
template <class Read, class Use>
__device__ void down_my_rows(int rows, int M, int C, const Read& read, const Use& use) {
    const int first = blockIdx.x * rows;
    down_the_channels(first, first + rows < M ? first + rows : M, C, read, use);
}

// Leaves in shared[a] the sum of `mine` over the threads a, a + ACROSS, a + 2·ACROSS, …, which have the same channels.
// All threads of the block must come here, and may read it afterwards.
template <class T>
__device__ void add_up_channels(const T& mine, T* shared) {
    shared[threadIdx.x] = mine;
    __syncthreads();
    for (int half = DEEP / 2; half > 0; half /= 2) {
        if (threadIdx.x < half * ACROSS)
            shared[threadIdx.x] = shared[threadIdx.x] + shared[threadIdx.x + half * ACROSS];
        __syncthreads();
    }
}
