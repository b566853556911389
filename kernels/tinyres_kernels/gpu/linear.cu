// A fully connected layer: three matrix products C (rows × columns) = A (rows × depth) · Bᵀ.
//
//                 rows   depth   columns      A(row, depth)   B(column, depth)
//     linear      n      i       o            x[n,i]          w[o,i]
//     grad_x      n      o       i            gy[n,o]         w[o,i]
//     grad_w      o      n       i            gy[n,o]         x[n,i]
//
// At the end of a ResNet this layer is 64 × 10: what counts is not the work but how long its steps wait for each other.
// So tiles are small, 16 × 16 with a thread for every number, and many blocks share the work; and a step along the
// depth is long, 64 places, all of them fetched into shared memory at once. BLAS would do as well, but a CUDA graph
// cannot hold CuPy's calls of BLAS. The formulas are those of reference/linear.py.
#include "channels.cuh"

constexpr int TILE = 16, DEPTH = 64, TILE_THREADS = TILE * TILE, MINE = TILE * DEPTH / TILE_THREADS;
constexpr int PITCH = DEPTH + 1;  // of a row in shared memory: 16 threads that read one column hit 16 banks

// A or B: number (row, place) is numbers[row·row_stride + place·place_stride]
struct Matrix {
    const real* numbers;
    int rows, row_stride, place_stride;

    // Rows first … first + TILE − 1 at the places k … k + DEPTH − 1 -> kept (TILE, PITCH), with 0 beyond the matrix.
    __device__ void fetch(real* kept, int first, int k, int depth) const {
        real mine[MINE];  // Each waits for none of the others if nothing is stored in between.
        for (int j = 0; j < MINE; j++) {
            const int row = first + row_of(j), place = k + place_of(j);
            mine[j] = row < rows && place < depth ? numbers[row * row_stride + place * place_stride] : real(0);
        }
        for (int j = 0; j < MINE; j++) kept[row_of(j) * PITCH + place_of(j)] = mine[j];
    }

    // Where this thread's j-th number is in the tile: neighbouring threads should read neighbouring numbers.
    __device__ int row_of(int j) const { return place_stride == 1 ? at(j) / DEPTH : at(j) % TILE; }
    __device__ int place_of(int j) const { return place_stride == 1 ? at(j) % DEPTH : at(j) / TILE; }
    __device__ static int at(int j) { return threadIdx.x + j * TILE_THREADS; }
};

// store(row, column, sum) receives every number of C.
template <class Store>
__device__ void matrix_product(const Matrix& a, const Matrix& b, int depth, const Store& store) {
    SHARED(real, a_step);                  // (TILE, PITCH)
    real* b_step = a_step + TILE * PITCH;  // (TILE, PITCH)
    const int first_row = blockIdx.x * TILE, first_column = blockIdx.y * TILE;
    const int my_row = threadIdx.x / TILE, my_column = threadIdx.x % TILE;
    real sum = 0;
    for (int k0 = 0; k0 < depth; k0 += DEPTH) {
        a.fetch(a_step, first_row, k0, depth);
        b.fetch(b_step, first_column, k0, depth);
        __syncthreads();
        for (int k = 0; k < DEPTH; k++) sum += a_step[my_row * PITCH + k] * b_step[my_column * PITCH + k];
        __syncthreads();  // before any thread fetches the next step
    }
    const int row = first_row + my_row, column = first_column + my_column;
    if (row < a.rows && column < b.rows) store(row, column, sum);
}

// x (N,I), w (O,I), b (O) -> y (N,O); without has_bias b is not read
extern "C" __global__ void __launch_bounds__(TILE_THREADS) linear(
    const real* __restrict__ x, const real* __restrict__ w, real* y, int N, int I, int O, const real* b, int has_bias
) {
    const auto store = [&](int n, int o, real sum) { y[n * O + o] = has_bias ? sum + b[o] : sum; };
    matrix_product(Matrix{x, N, I, 1}, Matrix{w, O, I, 1}, I, store);
}

// gy (N,O), w (O,I) -> gx (N,I)
extern "C" __global__ void __launch_bounds__(TILE_THREADS) linear_grad_x(
    const real* __restrict__ gy, const real* __restrict__ w, real* gx, int N, int I, int O
) {
    const auto store = [&](int n, int i, real sum) { gx[n * I + i] = sum; };
    matrix_product(Matrix{gy, N, O, 1}, Matrix{w, I, 1, I}, O, store);
}

// gy (N,O), x (N,I) -> gw (O,I)
extern "C" __global__ void __launch_bounds__(TILE_THREADS) linear_grad_w(
    const real* __restrict__ gy, const real* __restrict__ x, real* gw, int N, int I, int O
) {
    const auto store = [&](int o, int i, real sum) { gw[o * I + i] = sum; };
    matrix_product(Matrix{gy, O, 1, O}, Matrix{x, I, 1, I}, N, store);
}

// gy (N,O) -> gb (O), the sum of each column in one block
extern "C" __global__ void __launch_bounds__(CHANNEL_THREADS) linear_grad_b(const real* gy, real* gb, int N, int O) {
    SHARED(Numbers, shared);
    Numbers mine = {};
    down_the_channels(
        0, N, O, [&](int i) { return load(gy, i); }, [&](int, const Numbers& gy_i) { mine = mine + gy_i; }
    );
    add_up_channels(mine, shared);
    if (threadIdx.x < ACROSS && my_channel() < O) store(gb, my_channel(), shared[threadIdx.x]);
}
