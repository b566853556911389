// How a warp multiplies in conv2d.cu on the tensor cores (mma.cuh): factors are rounded to TF32 or bf16 on their way
// into shared memory, sums are float32. FACTOR: tf32 or bf16.
//
//     Along    a window's pixels × 16 columns: in shared memory a pixel's channels are neighbours, a column's too.
//              For 8 words of depth a warp reads ROWS/16 + 1 times, four words a lane, and does ROWS/8 products.
//     Across   CHUNK channels × 16 columns, summed over pixels: a word's numbers are then of different pixels, which
//              FACTOR::across_a and across_b see to.
//
// A pitch, the distance from a pixel to the next in shared memory, is chosen for the lanes that read at the same time
// to find what they read in different banks: rows of 16 bytes, where the pitch is an odd number of 16 bytes; or, across
// in TF32, words of four pixels and eight channels, where it is an odd number of 8 words.
#pragma once
#include "mma.cuh"

constexpr int CONV_THREADS = 256, MOST_THREADS = 9 * WARP;
constexpr int NUMBERS = FACTOR::NUMBERS, WORDS = CHUNK / NUMBERS;
constexpr int PITCH = WORDS + 4, PITCH_ACROSS = WORDS + FACTOR::PAD_ACROSS;
constexpr int PITCH_OF_GY = 16 / NUMBERS + FACTOR::PAD_ACROSS;
constexpr int DEPTH = MMA_WORDS * NUMBERS;  // pixels of a step across
constexpr bool MANY_BLOCKS = COLUMNS == 16 && VECTOR == 4;  // more than two for each multiprocessor of a large GPU
constexpr int BLOCKS = MANY_BLOCKS ? 3 : 2, BLOCKS_ACROSS = 2;  // that share a multiprocessor's registers
constexpr int AT_ONCE = MANY_BLOCKS ? 6 : 7, AT_ONCE_ACROSS = 4;  // fetches of four that a thread waits for together

using Word = unsigned;
__device__ inline void put(Word* words, Four numbers) { FACTOR::put(words, numbers); }

// store(row, column, sum, the sum in the next column)
template <int MINE, class Store>
__device__ void each_sum(const float (&sums)[MINE][2][4], const Store& store) {
    const int lane = threadIdx.x % WARP;
#pragma unroll
    for (int i = 0; i < MINE; i++)
#pragma unroll
        for (int j = 0; j < 2; j++)
#pragma unroll
            for (int r = 0; r < 4; r += 2) {
                const int row = i * MMA_ROWS + c_row(lane, r), column = j * MMA_COLUMNS + c_column(lane, r);
                store(row, column, sums[i][j][r], sums[i][j][r + 1]);
            }
}

template <int ROWS>
struct Along {
    static constexpr int MINE = ROWS / MMA_ROWS;
    float sums[MINE][2][4] = {};

    // The k-th row whose words this lane hands to the others
    static __device__ int row(int k) { return threadIdx.x % MMA_ROWS + k * MMA_ROWS; }

    // a: the window from this tap on. rows: where its rows are in there. b: the tap's weights
    __device__ void multiply(const Word* a, const int (&rows)[MINE], const Word* b) {
        const int lane = threadIdx.x % WARP;
        a += lane / 16 * 4;
        b += (lane % 8 + lane / 16 * 8) * PITCH + lane / 8 % 2 * 4;
#pragma unroll
        for (int k = 0; k < WORDS; k += MMA_WORDS) {
            unsigned w[2][2];
            load_matrices(w[0][0], w[0][1], w[1][0], w[1][1], b + k);
#pragma unroll
            for (int i = 0; i < MINE; i++) {
                unsigned x[4];
                load_matrices(x[0], x[1], x[2], x[3], a + rows[i] + k);
                FACTOR::mma(sums[i][0], x, w[0]);
                FACTOR::mma(sums[i][1], x, w[1]);
            }
        }
    }

    template <class Store>
    __device__ void each(const Store& store) const { each_sum(sums, store); }
};

template <int ROWS>
struct Across {
    static constexpr int MINE = ROWS / MMA_ROWS;
    float sums[MINE][2][4] = {};

    // a(k), b(k): where pixel k's numbers begin
    template <class A, class B>
    __device__ void multiply(const A& a, const B& b) {
        unsigned y[2][2];
        FACTOR::across_b(y, b);
#pragma unroll
        for (int i = 0; i < MINE; i++) {
            unsigned x[4];
            FACTOR::across_a(x, a, i * MMA_ROWS / NUMBERS);
            FACTOR::mma(sums[i][0], x, y[0]);
            FACTOR::mma(sums[i][1], x, y[1]);
        }
    }

    template <class Store>
    __device__ void each(const Store& store) const { each_sum(sums, store); }
};
