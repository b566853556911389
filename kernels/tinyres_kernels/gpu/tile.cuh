// A matrix product in tiles: C (rows × columns) = A (rows × depth) · B (depth × columns).
//
//                            columns
//                          ┌─────────┐
//                    depth │    B    │
//                          └─────────┘
//            depth           COLUMNS
//          ┌───────┐       ┌────┬────┐    A block of 128 threads computes 128 × COLUMNS numbers of C. It goes along
//          │       │  ROWS │ ▒▒ │    │    the depth in steps of 16: all threads together fetch that step's 128 × 16
//    rows  │   A   │       ├────┼────┤    numbers of A and 16 × COLUMNS of B into shared memory, once. Each thread has
//          │       │       │    │    │    8 × COLUMNS/8 sums in registers and reads its factors from there. So a number
//          └───────┘       └────┴────┘    of A serves COLUMNS products for one trip to memory.
//
// Why this tile: with 64 columns a block does 2 · 128 · 64 operations on 128 + 64 numbers at each place of the depth,
// 21 for each byte in float32. An H200 can do 14 for each byte (67 TFLOP/s at 4.8 TB/s), so it need not wait for
// memory. And 8 × 8 sums are 64 multiply-adds for 16 numbers read from shared memory. Not yet measured on a GPU.
//
// A and B are not stored as matrices: `a` and `b` know where their numbers are. What needs divisions for a row or for a
// place in the depth is worked out once, by a.row(m) and a.place(k), and kept in shared memory. a.find(row, place) is
// the number's address, or nullptr where it is 0.
#pragma once
#include "common.cuh"

#ifndef COLUMNS
#define COLUMNS 64
#endif
constexpr int ROWS = 128, DEPTH = 16, TILE_THREADS = 128;
constexpr int ACROSS = 8, DOWN = TILE_THREADS / ACROSS;  // the threads of a block, laid over its tile
constexpr int MINE_ROWS = ROWS / DOWN, MINE_COLUMNS = COLUMNS / ACROSS;
constexpr int PITCH = ROWS + 1;  // of A's step in shared memory: the 16 threads that write a row hit 16 banks

// depth_first … depth_last: this block's part of the depth. store(row, column, sum) receives every number of the tile.
template <class A, class B, class Store>
__device__ void tile_product(
    const A& a, const B& b, const Store& store, int rows, int columns, int depth_first, int depth_last
) {
    SHARED(real, a_step);                                                         // (DEPTH, PITCH)
    real* b_step = a_step + DEPTH * PITCH;                                        // (DEPTH, COLUMNS)
    auto* a_rows = reinterpret_cast<typename A::Row*>(b_step + DEPTH * COLUMNS);  // (ROWS)
    auto* a_places = reinterpret_cast<typename A::Place*>(a_rows + ROWS);         // (DEPTH)
    const int t = threadIdx.x, my_row = t / ACROSS, my_column = t % ACROSS;
    const int first_row = blockIdx.x * ROWS, first_column = blockIdx.y * COLUMNS;

    real sums[MINE_ROWS][MINE_COLUMNS];
    for (int i = 0; i < MINE_ROWS; i++)
        for (int j = 0; j < MINE_COLUMNS; j++) sums[i][j] = 0;
    for (int m = t; m < ROWS; m += TILE_THREADS) a_rows[m] = a.row(first_row + m);

    for (int k0 = depth_first; k0 < depth_last; k0 += DEPTH) {
        if (t < DEPTH) a_places[t] = a.place(k0 + t);
        __syncthreads();
        for (int at = t; at < ROWS * DEPTH; at += TILE_THREADS) {
            // Neighbouring threads should read neighbouring numbers.
            const int m = A::along_depth ? at / DEPTH : at % ROWS, k = A::along_depth ? at % DEPTH : at / ROWS;
            const bool inside = first_row + m < rows && k0 + k < depth_last;
            const real* number = inside ? a.find(a_rows[m], a_places[k]) : nullptr;
            a_step[k * PITCH + m] = number ? *number : real(0);
        }
        for (int at = t; at < DEPTH * COLUMNS; at += TILE_THREADS) {
            const int k = k0 + at / COLUMNS, column = first_column + at % COLUMNS;
            b_step[at] = k < depth_last && column < columns ? *b.find(column, k) : real(0);
        }
        __syncthreads();
        for (int k = 0; k < DEPTH; k++) {
            real a_mine[MINE_ROWS], b_mine[MINE_COLUMNS];
            for (int i = 0; i < MINE_ROWS; i++) a_mine[i] = a_step[k * PITCH + i * DOWN + my_row];
            for (int j = 0; j < MINE_COLUMNS; j++) b_mine[j] = b_step[k * COLUMNS + j * ACROSS + my_column];
            for (int i = 0; i < MINE_ROWS; i++)
                for (int j = 0; j < MINE_COLUMNS; j++) sums[i][j] += a_mine[i] * b_mine[j];
        }
    }

    for (int i = 0; i < MINE_ROWS; i++)
        for (int j = 0; j < MINE_COLUMNS; j++) {
            const int row = first_row + i * DOWN + my_row, column = first_column + j * ACROSS + my_column;
            if (row < rows && column < columns) store(row, column, sums[i][j]);
        }
}
