// Convolution over NHWC bytes. A block reads every number of the input once; from shared memory it serves all taps.
//
//     N images · C channels in · O channels out · (H, W) in · (P, Q) out · (KH, KW) kernel · s stride · pad padding
//
//                 every sum                  adds up over
//     conv2d      y[n,p,q,o]                 taps i,j and c:   x[n, p·s+i−pad, q·s+j−pad, c] · w[i,j,c,o]
//     grad_x      gx[n,r,t,c]                taps i,j and o:   gy[n, (r+pad−i)/s, (t+pad−j)/s, o] · w[i,j,c,o]
//     grad_w      gw[i,j,c,o]                n, p and q:       x[n, p·s+i−pad, q·s+j−pad, c] · gy[n,p,q,o]
//
// A pixel outside counts as 0. The formulas are those of reference/conv2d.py.
//
//          window of the image                 tile of the output
//        ┌───────────────┐
//        │ ┌───────────┐ │                     A block computes a tile of PIXELS pixels, 8, 16 or 32 of them in a row,
//        │ │           │ │     3 × 3 taps      and COLUMNS of their channels. Of the image it needs a window: the
//        │ │           │ │  ─────────────▶     tile itself and a margin. The window goes into shared memory with CHUNK
//        │ │           │ │                     channels at once, and so do these channels' weights. For a tap, every
//        │ └───────────┘ │                     pixel of the tile looks at the window one place further.
//        └───────────────┘
//
// grad_x is the same convolution: of gy, with s − 1 zeros between its pixels, by the kernel turned around.
//
// grad_w has few sums, each over many pixels. A warp has one tap, with CHUNK × 16 sums; a block goes from tile to tile,
// every gridDim.z-th. Where there are fewer taps than warps, several warps share a tap, each with its own pixels. The
// sums of all of them are added up afterwards, always in the same order (conv2d_add_up.cu).
//
// On an H100 all 56 launches of a step of ResNet-20 with 128 images took 0.81 ms in bf16, 1.08 in TF32 and 1.96 in
// float32, where matrix products that read every number once for each tap took 3.17, 3.63 and 14.2. That was measured
// before a thread fetched several numbers at a time; docs/speed.md says what stands in the way of more.
//
// How a warp multiplies is in conv2d_fma.cuh, or in conv2d_mma.cuh where the factors are rounded for the tensor cores
// (-DFACTOR=tf32 or bf16).
#include "common.cuh"

#ifndef CHUNK
#define CHUNK 16
#define COLUMNS 16
#define PIXELS 64
#define VECTOR 1
#endif

#ifdef FACTOR
#include "conv2d_mma.cuh"
#else
#include "conv2d_fma.cuh"
#endif

struct Pair { int row, column; };

// Four numbers that are neighbours, or that lie `step` apart: all of them, or the first `count` and zeros. VECTOR = 4
// says that it is all or none.
__device__ inline Four apart(const real* numbers, int step, int count) {
#if VECTOR == 4
    if (count <= 0) return {0, 0, 0, 0};
    return {numbers[0], numbers[step], numbers[2 * step], numbers[3 * step]};
#else
    return {count > 0 ? numbers[0] : 0, count > 1 ? numbers[step] : 0, count > 2 ? numbers[2 * step] : 0,
            count > 3 ? numbers[3 * step] : 0};
#endif
}

__device__ inline Four neighbours(const real* numbers, int count) {
#if VECTOR == 4
    return count > 0 ? *reinterpret_cast<const Four*>(numbers) : Four{0, 0, 0, 0};
#else
    return apart(numbers, 1, count);
#endif
}

// Two sums into a row of `columns` numbers, from `column` on, as far as there are such columns.
__device__ inline void put_two(real* row, int column, int columns, real first, real second) {
#if VECTOR == 4
    if (column < columns) *reinterpret_cast<Two*>(row + column) = {first, second};
#else
    if (column < columns) row[column] = first;
    if (column + 1 < columns) row[column + 1] = second;
#endif
}

// AT_ONCE · threads times: fetch(i), a Four, for the thread's numbers i; then lay_down(i, four). So a thread waits for
// memory once for AT_ONCE fetches.
template <int AT_ONCE, class Fetch, class LayDown>
__device__ void bring(int count, const Fetch& fetch, const LayDown& lay_down) {
    for (int first = threadIdx.x; first < count; first += AT_ONCE * blockDim.x) {
        Four found[AT_ONCE];
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++)
            if (first + k * blockDim.x < count) found[k] = fetch(first + k * blockDim.x);
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++)
            if (first + k * blockDim.x < count) lay_down(first + k * blockDim.x, found[k]);
    }
}

// Images (N, size, C), with spread − 1 zeros between neighbouring pixels.
struct Images {
    const real* __restrict__ numbers;
    Pair size, spread;
    int C;

    // Image n from `first` on, so many rows and columns of it, and CHANNELS channels from c on -> window (…, …, pitch)
    template <int CHANNELS, int AT_ONCE>
    __device__ void load(Word* window, int pitch, int n, Pair first, Pair count, int c) const {
        constexpr int FOURS = CHANNELS / 4;
        const unsigned parts = (1 << 20) / count.column + 1;  // of a row: pixel · parts >> 20 is pixel / count.column
        const real* image = numbers + n * size.row * size.column * C + c;
        bring<AT_ONCE>(
            count.row * count.column * FOURS,
            [&](int i) {
                const int pixel = i / FOURS, y = pixel * parts >> 20, four = i % FOURS * 4;
                // As unsigned numbers, what is left of the image or above it is far to the right, or far below.
                const unsigned down = first.row + y, across = first.column + pixel - y * count.column;
                const unsigned row = down / spread.row, column = across / spread.column;
                const bool inside = row < size.row && column < size.column && row * spread.row == down &&
                                    column * spread.column == across;
                return neighbours(image + (row * size.column + column) * C + four, inside ? C - c - four : 0);
            },
            [&](int i, Four four) { put(window + i / FOURS * pitch + i % FOURS * 4 / NUMBERS, four); }
        );
    }
};

constexpr int LOG_PIXELS = PIXELS == 256 ? 8 : PIXELS == 128 ? 7 : PIXELS == 64 ? 6 : PIXELS == 32 ? 5 : 4;
static_assert(PIXELS == 1 << LOG_PIXELS);

// Where a tile lies, and how a window belongs to it.
struct Tiles {
    Pair size, kernel, stride, pad;  // size: of the output that is cut into tiles
    int log_columns;                 // of a tile's columns

    __device__ int columns() const { return 1 << log_columns; }
    __device__ int rows() const { return 1 << LOG_PIXELS - log_columns; }
    __device__ Pair window() const {
        return {(rows() - 1) * stride.row + kernel.row, (columns() - 1) * stride.column + kernel.column};
    }
    __device__ int count(int N) const { return N * down() * across(); }
    __device__ unsigned down() const { return size.row + rows() - 1 >> LOG_PIXELS - log_columns; }
    __device__ unsigned across() const { return size.column + columns() - 1 >> log_columns; }
    __device__ int image(unsigned tile) const { return tile / across() / down(); }
    __device__ Pair first_pixel(unsigned tile) const {
        return {(int)(tile / across() % down()) * rows(), (int)(tile % across()) * columns()};
    }
    __device__ Pair first_of_window(Pair pixel) const {
        return {pixel.row * stride.row - pad.row, pixel.column * stride.column - pad.column};
    }
    __device__ Pair pixel(int m) const { return {m >> log_columns, m & (columns() - 1)}; }
    // From the window's beginning to what pixel m sees at the first tap, in pixels
    __device__ int seen_by(int m) const {
        return pixel(m).row * stride.row * window().column + pixel(m).column * stride.column;
    }
};

// The kernel as matrices (tap, column, depth): number (tap, column, depth) is numbers[… · step] as below.
struct Weights {
    const real* __restrict__ numbers;
    int depth, columns, taps;
    bool turned;  // for grad_x: its columns are w's C, its depth is w's O, and the last tap comes first

    // `count` taps from `first` on, COLUMNS columns from `column` on, CHUNK of the depth from k on -> (…, …, PITCH)
    __device__ void load(Word* matrices, int first, int count, int column, int k) const {
        constexpr int FOURS = CHUNK / 4, OF_TAP = COLUMNS * FOURS;
        // Neighbouring threads should read neighbouring numbers.
        const auto column_of = [&](int i) { return turned ? i % OF_TAP / FOURS : i % COLUMNS; };
        const auto depth_of = [&](int i) { return (turned ? i % FOURS : i % OF_TAP / COLUMNS) * 4; };
        bring<3>(
            count * OF_TAP,
            [&](int i) {
                const int c = column + column_of(i), d = k + depth_of(i), left = c < columns ? depth - d : 0;
                const int tap = first + i / OF_TAP;
                return turned ? neighbours(numbers + ((taps - 1 - tap) * columns + c) * depth + d, left)
                              : apart(numbers + (tap * depth + d) * columns + c, columns, left);
            },
            [&](int i, Four four) {
                put(matrices + (i / OF_TAP * COLUMNS + column_of(i)) * PITCH + depth_of(i) / NUMBERS, four);
            }
        );
    }
};

constexpr int WARPS = CONV_THREADS / WARP, GROUPS = COLUMNS / 16;  // of columns; a warp has one of them
constexpr int ROWS = PIXELS * GROUPS / WARPS;                      // and this number of pixels

// images, weights -> y (N, tiles.size, weights.columns). tap_rows: rows of taps with weights in shared memory at once
__device__ void convolve(const Images& images, const Weights& weights, const Tiles& tiles, real* y, int tap_rows) {
    SHARED(Word, window);
    const Pair size = tiles.window(), pixel = tiles.first_pixel(blockIdx.x);
    Word* matrices = window + size.row * size.column * PITCH;
    const int n = tiles.image(blockIdx.x), first_column = blockIdx.y * COLUMNS;
    const int warp = threadIdx.x / WARP, group = warp % GROUPS * 16, first_row = warp / GROUPS * ROWS;

    Along<ROWS> product;
    int seen[Along<ROWS>::MINE];
#pragma unroll
    for (int k = 0; k < Along<ROWS>::MINE; k++) seen[k] = tiles.seen_by(first_row + Along<ROWS>::row(k)) * PITCH;

    for (int c = 0; c < images.C; c += CHUNK)
        for (int i0 = 0; i0 < tiles.kernel.row; i0 += tap_rows) {
            const int rows = min(tap_rows, tiles.kernel.row - i0);
            if (c > 0 || i0 > 0) __syncthreads();  // everybody has read what is overwritten now
            if (i0 == 0) images.load<CHUNK, AT_ONCE>(window, PITCH, n, tiles.first_of_window(pixel), size, c);
            weights.load(matrices, i0 * tiles.kernel.column, rows * tiles.kernel.column, first_column, c);
            __syncthreads();
            for (int i = 0; i < rows; i++)
#pragma unroll 1  // more at once would take registers
                for (int j = 0; j < tiles.kernel.column; j++) {
                    const Word* tap = matrices + ((i * tiles.kernel.column + j) * COLUMNS + group) * PITCH;
                    product.multiply(window + ((i0 + i) * size.column + j) * PITCH, seen, tap);
                }
        }

    product.each([&](int m, int column, real first, real second) {
        const Pair at = tiles.pixel(first_row + m);
        const int p = pixel.row + at.row, q = pixel.column + at.column, o = first_column + group + column;
        if (p >= tiles.size.row || q >= tiles.size.column) return;
        real* row = y + ((n * tiles.size.row + p) * tiles.size.column + q) * weights.columns;
        put_two(row, o, weights.columns, first, second);
    });
}

// x (N,H,W,C), w (KH,KW,C,O) -> y (N,P,Q,O)
extern "C" __global__ void __launch_bounds__(CONV_THREADS, BLOCKS) conv2d(
    const real* x, const real* w, real* y, int log_columns, int tap_rows, int N, int C, int H, int W, int O, int P,
    int Q, int KH, int KW, int s_rows, int s_columns, int pad_rows, int pad_columns
) {
    const Tiles tiles = {{P, Q}, {KH, KW}, {s_rows, s_columns}, {pad_rows, pad_columns}, log_columns};
    convolve({x, {H, W}, {1, 1}, C}, {w, C, O, KH * KW, false}, tiles, y, tap_rows);
}

// gy (N,P,Q,O), w (KH,KW,C,O) -> gx (N,H,W,C)
extern "C" __global__ void __launch_bounds__(CONV_THREADS, BLOCKS) conv2d_grad_x(
    const real* gy, const real* w, real* gx, int log_columns, int tap_rows, int N, int C, int H, int W, int O, int P,
    int Q, int KH, int KW, int s_rows, int s_columns, int pad_rows, int pad_columns
) {
    const Tiles tiles = {{H, W}, {KH, KW}, {1, 1}, {KH - 1 - pad_rows, KW - 1 - pad_columns}, log_columns};
    const Weights weights = {w, O, C, KH * KW, true};
    if (s_rows == 1 && s_columns == 1)  // told apart, so that nothing is divided by 1
        convolve({gy, {P, Q}, {1, 1}, O}, weights, tiles, gx, tap_rows);
    else
        convolve({gy, {P, Q}, {s_rows, s_columns}, O}, weights, tiles, gx, tap_rows);
}

// x (N,H,W,C), gy (N,P,Q,O) -> parts (gridDim.z · shares, KH,KW,C,O). blockIdx.x: taps, as many as `taps`, and CHUNK
// channels of x; blockIdx.y: 16 channels of gy. A tap's warps are `shares`.
extern "C" __global__ void __launch_bounds__(MOST_THREADS, BLOCKS_ACROSS) conv2d_grad_w(
    const real* x, const real* gy, real* parts, int log_columns, int taps, int N, int C, int H, int W, int O, int P,
    int Q, int KH, int KW, int s_rows, int s_columns, int pad_rows, int pad_columns
) {
    SHARED(Word, window);
    const Tiles tiles = {{P, Q}, {KH, KW}, {s_rows, s_columns}, {pad_rows, pad_columns}, log_columns};
    const Images images = {x, {H, W}, {1, 1}, C}, gradients = {gy, {P, Q}, {1, 1}, O};
    const Pair size = tiles.window();
    Word* tile_of_gy = window + size.row * size.column * PITCH_ACROSS;
    const int chunks = (C + CHUNK - 1) / CHUNK, c = blockIdx.x % chunks * CHUNK, first_column = blockIdx.y * 16;
    const int warp = threadIdx.x / WARP, shares = blockDim.x / WARP / taps, share = warp / taps;
    const int tap = blockIdx.x / chunks * taps + warp % taps, i = tap / KW, j = tap % KW;

    Across<CHUNK> product;
    for (int tile = blockIdx.z; tile < tiles.count(N); tile += gridDim.z) {
        const Pair pixel = tiles.first_pixel(tile);
        __syncthreads();  // everybody has read what is overwritten now
        const Pair first = tiles.first_of_window(pixel);
        images.load<CHUNK, AT_ONCE_ACROSS>(window, PITCH_ACROSS, tiles.image(tile), first, size, c);
        const Pair of_tile = {tiles.rows(), tiles.columns()};
        gradients.load<16, AT_ONCE_ACROSS>(tile_of_gy, PITCH_OF_GY, tiles.image(tile), pixel, of_tile, first_column);
        __syncthreads();
        const Word* seen = window + (i * size.column + j) * PITCH_ACROSS;
        if (tap < KH * KW)
            for (int k = share * DEPTH; k < PIXELS; k += shares * DEPTH)
                product.multiply(
                    [&](int m) { return seen + tiles.seen_by(k + m) * PITCH_ACROSS; },
                    [&](int m) { return tile_of_gy + (k + m) * PITCH_OF_GY; }
                );
    }

    real* sums = parts + (size_t)((blockIdx.z * shares + share) * KH * KW + tap) * C * O;
    if (tap < KH * KW)
        product.each([&](int m, int column, real first, real second) {
            if (c + m < C) put_two(sums + (c + m) * O, first_column + column, O, first, second);
        });
}
