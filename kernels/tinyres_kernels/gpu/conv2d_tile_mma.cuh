// The product of tile.cuh on the tensor cores (mma.cuh): the same tiles, the same `a`, `b` and `store`, but the factors
// are rounded to TF32 or bf16 on their way into shared memory. Sums are float32. FACTOR: tf32 or bf16.
//
//            depth           COLUMNS
//          ┌───────┐       ┌─────────┐    A block of 4 warps computes 128 × COLUMNS numbers of C, each warp 32 rows of
//          │       │  ROWS │ warp 0  │    them: 2 × COLUMNS/8 products of 16 × 8, whose sums stay in its lanes'
//    rows  │   A   │       │ …       │    registers. It goes along the depth in steps of 16 numbers, which are 16 words
//          │       │       │ warp 3  │    in TF32 and 8 in bf16; a product takes 8 words.
//          └───────┘       └─────────┘
//
// Why this tile: a warp reads 16 + COLUMNS words from shared memory for each 8 words of depth, 24 a lane at 64 columns,
// and does 16 products with them; a tile of 16 × 8 alone would read 6 for one. While the tensor cores work on one step,
// the next step's numbers are already on their way into registers; they are then written into the other half of the
// shared memory. So there is one barrier in each step, and memory's delay is hidden. Not yet measured on a GPU.
//
// Numbers are fetched in patches of four words. With VECTOR = 4, four neighbouring numbers in memory come in one
// access; where the channels are not a multiple of four (a network's first layer), VECTOR = 1 fetches them one by one.
//
// In shared memory a line is a row of A or a column of B. Where neighbours in memory follow the depth, the words of a
// line are neighbours, WORDS + 4 from the next line's; otherwise the lines are neighbours, LINES + 8 from the next
// word's. Both avoid bank conflicts: the lanes of a fragment, 8 groups of 4 members, read at 20·group + member
// (12·group in bf16), or at group + 8·member (24·member), which are all different modulo 32 banks.
#pragma once
#include "common.cuh"
#include "mma.cuh"

#ifndef COLUMNS
#define COLUMNS 64
#endif
#ifndef VECTOR
#define VECTOR 1
#endif
constexpr int ROWS = 128, DEPTH = 16, TILE_THREADS = 128;
constexpr int NUMBERS = FACTOR::NUMBERS, WORDS = DEPTH / NUMBERS;
constexpr int PATCH = 4;                           // words
constexpr int DOWN = ROWS * WARP / TILE_THREADS / MMA_ROWS, ACROSS = COLUMNS / MMA_COLUMNS;  // a warp's products

// One of the two factors as a block sees it: its numbers go from memory into registers, and from there into shared
// memory, where the fragments are read.
template <class Source, int LINES>
struct Factor {
    using Row = typename Source::Row;
    using Place = typename Source::Place;
    static constexpr bool along = Source::along_depth;
    static constexpr int LINE = along ? WORDS + 4 : 1, WORD = along ? 1 : LINES + 8;  // from one to the next
    static constexpr int SIZE = along ? LINES * LINE : WORDS * WORD;                  // of a step, in words
    static constexpr int PATCHES = LINES * WORDS / PATCH, MINE = (PATCHES + TILE_THREADS - 1) / TILE_THREADS;
    static constexpr int BYTES = 2 * SIZE * sizeof(unsigned) + LINES * sizeof(Row) + 2 * DEPTH * sizeof(Place);

    const Source& source;
    const int first, lines, depth_last;
    unsigned* steps;  // (2, SIZE)
    Row* rows;        // (LINES)
    Place* places;    // (2, DEPTH)
    float next[MINE][NUMBERS][PATCH];

    __device__ Factor(const Source& source, int first, int lines, int depth_last, unsigned char* memory)
        : source(source), first(first), lines(lines), depth_last(depth_last) {
        steps = reinterpret_cast<unsigned*>(memory);
        rows = reinterpret_cast<Row*>(steps + 2 * SIZE);
        places = reinterpret_cast<Place*>(rows + LINES);
        for (int line = threadIdx.x; line < LINES; line += TILE_THREADS) rows[line] = source.row(first + line);
    }

    __device__ void plan(int k0, int half) {
        if (threadIdx.x < DEPTH) places[half * DEPTH + threadIdx.x] = source.place(k0 + threadIdx.x);
    }

    // Neighbouring threads fetch neighbouring patches.
    static __device__ int line_of(int patch) { return along ? patch / (WORDS / PATCH) : patch % (LINES / PATCH) * PATCH; }
    static __device__ int word_of(int patch) { return along ? patch % (WORDS / PATCH) * PATCH : patch / (LINES / PATCH); }

    __device__ void fetch(int k0, int half) {
#pragma unroll
        for (int i = 0; i < MINE; i++) {
            const int patch = threadIdx.x + i * TILE_THREADS, line = line_of(patch), k = word_of(patch) * NUMBERS;
            if (patch >= PATCHES) break;
#pragma unroll
            for (int n = 0; n < NUMBERS; n++) four(next[i][n], line, k + (along ? n * PATCH : n), k0, half);
        }
    }

    // Four neighbours from (line, k) on, along the depth or across it; 0 where there are none.
    __device__ void four(float (&numbers)[PATCH], int line, int k, int k0, int half) const {
        const Place* place = places + half * DEPTH;
#if VECTOR == 4
        const bool inside = first + line < lines && k0 + k < depth_last;
        const float* at = inside ? source.find(rows[line], place[k]) : nullptr;
        const float4 found = at ? *reinterpret_cast<const float4*>(at) : float4{0, 0, 0, 0};
        numbers[0] = found.x, numbers[1] = found.y, numbers[2] = found.z, numbers[3] = found.w;
#else
#pragma unroll
        for (int i = 0; i < PATCH; i++) {
            const int l = along ? line : line + i, d = along ? k + i : k;
            const bool inside = first + l < lines && k0 + d < depth_last;
            const float* at = inside ? source.find(rows[l], place[d]) : nullptr;
            numbers[i] = at ? *at : 0;
        }
#endif
    }

    __device__ void lay_down(int half) {
#pragma unroll
        for (int i = 0; i < MINE; i++) {
            const int patch = threadIdx.x + i * TILE_THREADS;
            if (patch >= PATCHES) break;
            const float* x = next[i][0];
            constexpr int BETWEEN = along ? NUMBERS : 1, APART = along ? 1 : PATCH;  // between words, and inside one
            const uint4 words = {FACTOR::word(x, APART), FACTOR::word(x + BETWEEN, APART),
                                 FACTOR::word(x + 2 * BETWEEN, APART), FACTOR::word(x + 3 * BETWEEN, APART)};
            *reinterpret_cast<uint4*>(steps + half * SIZE + line_of(patch) * LINE + word_of(patch) * WORD) = words;
        }
    }

    __device__ unsigned word(int half, int line, int word) const { return steps[half * SIZE + line * LINE + word * WORD]; }
};

// depth_first … depth_last: this block's part of the depth. store(row, column, sum) receives every number of the tile.
template <class A, class B, class Store>
__device__ void tile_product(
    const A& a, const B& b, const Store& store, int rows, int columns, int depth_first, int depth_last
) {
    SHARED(unsigned char, memory);
    const int first_row = blockIdx.x * ROWS, first_column = blockIdx.y * COLUMNS;
    const int lane = threadIdx.x % WARP, warp_row = threadIdx.x / WARP * DOWN * MMA_ROWS;
    Factor<A, ROWS> left(a, first_row, rows, depth_last, memory);
    Factor<B, COLUMNS> right(b, first_column, columns, depth_last, memory + Factor<A, ROWS>::BYTES);
    float sums[DOWN][ACROSS][4] = {};

    left.plan(depth_first, 0), right.plan(depth_first, 0);
    __syncthreads();
    left.fetch(depth_first, 0), right.fetch(depth_first, 0);
    left.plan(depth_first + DEPTH, 1), right.plan(depth_first + DEPTH, 1);
    left.lay_down(0), right.lay_down(0);
    __syncthreads();
    for (int k0 = depth_first, half = 0; k0 < depth_last; k0 += DEPTH, half = 1 - half) {
        left.fetch(k0 + DEPTH, 1 - half), right.fetch(k0 + DEPTH, 1 - half);  // beyond the end: zeros
        left.plan(k0 + 2 * DEPTH, half), right.plan(k0 + 2 * DEPTH, half);
#pragma unroll
        for (int word = 0; word < WORDS; word += MMA_WORDS) {
            unsigned a_mine[DOWN][4], b_mine[ACROSS][2];
            for (int i = 0; i < DOWN; i++)
                for (int r = 0; r < 4; r++)
                    a_mine[i][r] = left.word(half, warp_row + i * MMA_ROWS + a_row(lane, r), word + a_word(lane, r));
            for (int j = 0; j < ACROSS; j++)
                for (int r = 0; r < 2; r++)
                    b_mine[j][r] = right.word(half, j * MMA_COLUMNS + b_column(lane), word + b_word(lane, r));
            for (int i = 0; i < DOWN; i++)
                for (int j = 0; j < ACROSS; j++) FACTOR::mma(sums[i][j], a_mine[i], b_mine[j]);
        }
        left.lay_down(1 - half), right.lay_down(1 - half);
        __syncthreads();
    }

#pragma unroll
    for (int i = 0; i < DOWN; i++)
#pragma unroll
        for (int j = 0; j < ACROSS; j++)
#pragma unroll
            for (int r = 0; r < 4; r++) {
                const int row = first_row + warp_row + i * MMA_ROWS + c_row(lane, r);
                const int column = first_column + j * MMA_COLUMNS + c_column(lane, r);
                if (row < rows && column < columns) store(row, column, sums[i][j][r]);
            }
}
