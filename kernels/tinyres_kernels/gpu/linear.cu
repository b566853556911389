// A fully connected layer: three matrix products, in the tiles of tile.cuh.
//
//                 rows   depth   columns      A(row, depth)   B(depth, column)
//     linear      n      i       o            x[n,i]          w[o,i]
//     grad_x      n      o       i            gy[n,o]         w[o,i]
//     grad_w      o      n       i            gy[n,o]         x[n,i]
//
// At the end of a ResNet this layer is 64 × 10, less than a tile. BLAS would do as well, but a CUDA graph cannot hold
// CuPy's calls of BLAS. The formulas are those of reference/linear.py. Not yet measured on a GPU.
#include "channels.cuh"
#include "tile.cuh"

// A or Bᵀ: number (row, place) is numbers[row·row_stride + place·place_stride]
template <bool depth_is_last>
struct Matrix {
    using Row = int;
    using Place = int;
    static constexpr bool along_depth = depth_is_last;  // the direction of its neighbours
    const real* numbers;
    int row_stride, place_stride;
    __device__ Row row(int m) const { return m; }
    __device__ Place place(int k) const { return k; }
    __device__ const real* find(Row m, Place k) const { return numbers + m * row_stride + k * place_stride; }
};
using Along = Matrix<true>;
using Across = Matrix<false>;

// x (N,I), w (O,I), b (O) -> y (N,O); without has_bias b is not read
extern "C" __global__ void __launch_bounds__(TILE_THREADS) linear(
    const real* x, const real* w, real* y, int N, int I, int O, const real* b, int has_bias
) {
    const auto store = [&](int n, int o, real sum) { y[n * O + o] = has_bias ? sum + b[o] : sum; };
    tile_product(Along{x, I, 1}, Along{w, I, 1}, store, N, O, 0, I);
}

// gy (N,O), w (O,I) -> gx (N,I)
extern "C" __global__ void __launch_bounds__(TILE_THREADS) linear_grad_x(
    const real* gy, const real* w, real* gx, int N, int I, int O
) {
    const auto store = [&](int n, int i, real sum) { gx[n * I + i] = sum; };
    tile_product(Along{gy, O, 1}, Across{w, 1, I}, store, N, I, 0, O);
}

// gy (N,O), x (N,I) -> gw (O,I)
extern "C" __global__ void __launch_bounds__(TILE_THREADS) linear_grad_w(
    const real* gy, const real* x, real* gw, int N, int I, int O
) {
    const auto store = [&](int o, int i, real sum) { gw[o * I + i] = sum; };
    tile_product(Across{gy, 1, O}, Across{x, 1, I}, store, O, I, 0, N);
}

// gy (N,O) -> gb (O), the sum of each column in one block
extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) linear_grad_b(const real* gy, real* gb, int N, int O) {
    SHARED(real, shared);
    real mine = 0;
    down_the_channel(N, N, O, [&](int i) { mine += gy[i]; });
    const real sum = sum_in_channel(mine, shared);
    if (threadIdx.x < WIDTH && my_channel() < O) gb[my_channel()] = sum;
}
