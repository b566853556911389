// How a warp multiplies in conv2d.cu, in float32 or float64: every thread has its sums in registers, and reads the
// numbers that it multiplies from shared memory, four at a time.
//
//     Along    a window's pixels × 16 columns: in shared memory a pixel's channels are neighbours, a column's too.
//              A thread has ROWS/8 pixels and 4 columns. For 4 channels it reads ROWS/8 + 4 times and does 2·ROWS
//              multiply-adds: 8 reads for 64 with 32 rows.
//     Across   CHUNK channels × 16 columns, summed over pixels. A thread has CHUNK/4 channels and 2 columns.
//
// A pitch, the distance from a pixel to the next in shared memory, is an odd number of 16 bytes: so eight threads that
// read 16 bytes of eight neighbouring pixels find them in different banks.
#pragma once

constexpr int CONV_THREADS = 256, MOST_THREADS = 9 * WARP;
constexpr int NUMBERS = 1;  // in a word
constexpr int PITCH = CHUNK + 16 / sizeof(real), PITCH_ACROSS = CHUNK, PITCH_OF_GY = 16;
constexpr int DEPTH = 16 / sizeof(real);  // pixels of a step across; a tile has at least 8 in a row
constexpr int AT_ONCE = 16 / sizeof(real), AT_ONCE_ACROSS = AT_ONCE;  // fetches that a thread waits for together
constexpr int BLOCKS = 8 / sizeof(real), BLOCKS_ACROSS = BLOCKS;  // that share a multiprocessor's registers

using Word = real;
__device__ inline void put(Word* words, Four numbers) { *reinterpret_cast<Four*>(words) = numbers; }

template <int ROWS>
struct Along {
    static constexpr int MINE = ROWS / 8;
    real sums[MINE][4] = {};

    static __device__ int row(int k) { return threadIdx.x % WARP / 4 + 8 * k; }
    static __device__ int column(int k) { return threadIdx.x % 4 * 2 + k % 2 + k / 2 * 8; }

    // a: the window from this tap on. rows: where its rows are in there. b: the tap's weights
    __device__ void multiply(const Word* a, const int (&rows)[MINE], const Word* b) {
#pragma unroll 4
        for (int k = 0; k < CHUNK; k += 4) {
            Four x[MINE], w[4];
            for (int i = 0; i < MINE; i++) x[i] = *reinterpret_cast<const Four*>(a + rows[i] + k);
            for (int j = 0; j < 4; j++) w[j] = *reinterpret_cast<const Four*>(b + column(j) * PITCH + k);
            for (int i = 0; i < MINE; i++)
                for (int j = 0; j < 4; j++) {  // four multiply-adds; as one expression it would be five operations
                    sums[i][j] += x[i].x * w[j].x;
                    sums[i][j] += x[i].y * w[j].y;
                    sums[i][j] += x[i].z * w[j].z;
                    sums[i][j] += x[i].w * w[j].w;
                }
        }
    }

    // store(row, column, sum, the sum in the next column)
    template <class Store>
    __device__ void each(const Store& store) const {
#pragma unroll
        for (int i = 0; i < MINE; i++)
            for (int j = 0; j < 4; j += 2) store(row(i), column(j), sums[i][j], sums[i][j + 1]);
    }
};

template <int ROWS>
struct Across {
    static constexpr int MINE = ROWS / 16;
    real sums[MINE][4][2] = {};

    static __device__ int row() { return threadIdx.x % WARP / 8 * 4; }
    static __device__ int column() { return threadIdx.x % 8 * 2; }

    // a(k), b(k): where pixel k's numbers begin
    template <class A, class B>
    __device__ void multiply(const A& a, const B& b) {
        const Word *x = a(0) + row(), *y = b(0) + column();
        const int step_x = a(1) - a(0), step_y = b(1) - b(0);
#pragma unroll 2
        for (int k = 0; k < DEPTH; k++) {
            const Two gy = *reinterpret_cast<const Two*>(y + k * step_y);
            for (int i = 0; i < MINE; i++) {
                const Four f = *reinterpret_cast<const Four*>(x + k * step_x + i * 16);
                sums[i][0][0] += f.x * gy.x, sums[i][0][1] += f.x * gy.y;
                sums[i][1][0] += f.y * gy.x, sums[i][1][1] += f.y * gy.y;
                sums[i][2][0] += f.z * gy.x, sums[i][2][1] += f.z * gy.y;
                sums[i][3][0] += f.w * gy.x, sums[i][3][1] += f.w * gy.y;
            }
        }
    }

    template <class Store>
    __device__ void each(const Store& store) const {
#pragma unroll
        for (int i = 0; i < MINE; i++)
            for (int r = 0; r < 4; r++) store(row() + i * 16 + r, column(), sums[i][r][0], sums[i][r][1]);
    }
};
