// Convolution as three matrix products whose matrices are never written down (implicit GEMM), over NHWC bytes.
//
//     N images · C channels in · O channels out · (H, W) in · (P, Q) out · (KH, KW) kernel · s stride · pad padding
//
//                 rows             depth            columns    A(row, depth)                 B(depth, column)
//     conv2d      pixels n,p,q     taps i,j,c       o          x[n, p·s+i−pad, q·s+j−pad, c]    w[i,j,c, o]
//     grad_x      pixels n,r,t     taps i,j,o       c          gy[n, (r+pad−i)/s, …, o]         w[i,j,o, c]
//     grad_w      taps i,j,c       pixels n,p,q     o          x[n, p·s+i−pad, …, c]            gy[n,p,q, o]
//
// A pixel outside x, or one that no output came from, counts as 0. grad_w has few numbers and a long depth, so
// blockIdx.z takes parts of the depth, and the parts' sums are added up afterwards, always in the same order
// (conv2d_add_up.cu). The tile and the reasons for it are in tile.cuh, or in conv2d_tile_mma.cuh where the factors are
// rounded for the tensor cores (-DFACTOR=tf32 or bf16). The formulas are those of reference/conv2d.py.
#ifdef FACTOR
#include "conv2d_tile_mma.cuh"
#else
#include "tile.cuh"
#endif

struct Pixel { int base, row, column; };  // base: where its image begins. row, column: where its window begins
struct Tap { int channel, i, j; };

// The input as the window of an output pixel sees it.
struct Windows {
    const real* x;
    int C, H, W, P, Q, KW, s_rows, s_columns, pad_rows, pad_columns;

    __device__ Pixel pixel(int m) const {
        const int n = m / (P * Q), p = m / Q % P, q = m % Q;
        return {n * H * W * C, p * s_rows - pad_rows, q * s_columns - pad_columns};
    }
    __device__ Tap tap(int k) const { return {k % C, k / C / KW, k / C % KW}; }
    __device__ const real* find(Pixel pixel, Tap tap) const {
        const int row = pixel.row + tap.i, column = pixel.column + tap.j;
        const bool inside = row >= 0 && row < H && column >= 0 && column < W;
        return inside ? x + pixel.base + (row * W + column) * C + tap.channel : nullptr;
    }
};

struct WindowsByPixel : Windows {  // conv2d: every row a pixel
    using Row = Pixel;
    using Place = Tap;
    static constexpr bool along_depth = true;
    __device__ Row row(int m) const { return pixel(m); }
    __device__ Place place(int k) const { return tap(k); }
};

struct WindowsByTap : Windows {  // grad_w: the same numbers, every row a tap
    using Row = Tap;
    using Place = Pixel;
    static constexpr bool along_depth = false;
    __device__ Row row(int m) const { return tap(m); }
    __device__ Place place(int k) const { return pixel(k); }
    __device__ const real* find(Row row, Place place) const { return Windows::find(place, row); }
};

// gy as an input pixel sees it: from the outputs whose windows it was in.
struct Outputs {
    using Row = Pixel;
    using Place = Tap;
    static constexpr bool along_depth = true;
    const real* gy;
    int O, P, Q, H, W, KW, s_rows, s_columns, pad_rows, pad_columns;

    __device__ Row row(int m) const {
        const int n = m / (H * W), row = m / W % H, column = m % W;
        return {n * P * Q * O, row + pad_rows, column + pad_columns};
    }
    __device__ Place place(int k) const { return {k % O, k / O / KW, k / O % KW}; }
    __device__ const real* find(Row pixel, Place tap) const {
        const int row = pixel.row - tap.i, column = pixel.column - tap.j;
        const int p = row / s_rows, q = column / s_columns;
        const bool met = row >= 0 && column >= 0 && p < P && q < Q && p * s_rows == row && q * s_columns == column;
        return met ? gy + pixel.base + (p * Q + q) * O + tap.channel : nullptr;
    }
};

// B with its number of columns. It is read in the same way as A, so a row here is a row of Bᵀ.
struct Matrix {
    using Row = int;
    using Place = int;
    static constexpr bool along_depth = false;
    const real* numbers;
    int columns;
    __device__ Row row(int column) const { return column; }
    __device__ Place place(int k) const { return k; }
    __device__ const real* find(Row column, Place k) const { return numbers + k * columns + column; }
};

struct Into {
    real* numbers;
    int columns;
    __device__ void operator()(int row, int column, real sum) const { numbers[row * columns + column] = sum; }
};

// x (N,H,W,C), w (KH,KW,C,O) -> y (N,P,Q,O)
extern "C" __global__ void __launch_bounds__(TILE_THREADS) conv2d(
    const real* x, const real* w, real* y, int N, int C, int H, int W, int O, int P, int Q, int KH, int KW, int s_rows,
    int s_columns, int pad_rows, int pad_columns
) {
    const WindowsByPixel a = {{x, C, H, W, P, Q, KW, s_rows, s_columns, pad_rows, pad_columns}};
    tile_product(a, Matrix{w, O}, Into{y, O}, N * P * Q, O, 0, KH * KW * C);
}

// gy (N,P,Q,O), w (KH,KW,O,C) -> gx (N,H,W,C)
extern "C" __global__ void __launch_bounds__(TILE_THREADS) conv2d_grad_x(
    const real* gy, const real* w, real* gx, int N, int C, int H, int W, int O, int P, int Q, int KH, int KW,
    int s_rows, int s_columns, int pad_rows, int pad_columns
) {
    const Outputs a = {gy, O, P, Q, H, W, KW, s_rows, s_columns, pad_rows, pad_columns};
    tile_product(a, Matrix{w, C}, Into{gx, C}, N * H * W, C, 0, KH * KW * O);
}

// gy (N,P,Q,O), x (N,H,W,C) -> parts (gridDim.z, KH,KW,C,O); each sums over `part` pixels
extern "C" __global__ void __launch_bounds__(TILE_THREADS) conv2d_grad_w(
    const real* gy, const real* x, real* parts, int part, int N, int C, int H, int W, int O, int P, int Q, int KH,
    int KW, int s_rows, int s_columns, int pad_rows, int pad_columns
) {
    const WindowsByTap a = {{x, C, H, W, P, Q, KW, s_rows, s_columns, pad_rows, pad_columns}};
    const int taps = KH * KW * C, pixels = N * P * Q, first = blockIdx.z * part;
    const Into sums = {parts + (size_t)blockIdx.z * taps * O, O};
    tile_product(a, Matrix{gy, O}, sums, taps, O, first, first + part < pixels ? first + part : pixels);
}
