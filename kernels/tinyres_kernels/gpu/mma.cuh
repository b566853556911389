// What a tensor core does, and the only lines of PTX here: a warp's 32 lanes together compute C += A · B for small
// matrices A, B and C, which are cut into *fragments*, a few registers in each lane.
//
//                                            columns 0 … 7
//                                          ┌─────────────────────┐
//                             words 0 … 3  │  0  4  8  …  28     │
//                                          │  …     b0           │     The numbers say which lane holds it: each lane
//                                          ├─────────────────────┤     has 4 words of A, 2 of B and 4 sums of C. As
//                             words 4 … 7  │  0  4  8  …  28     │     group = lane / 4 and member = lane % 4:
//              words 0 … 3   words 4 … 7   │  …     b1           │
//            ┌─────────────┬─────────────┐ ├─────────────────────┤         a_r   row    group + 8·(r % 2)
//            │ 0  1  2  3  │ 0  1  2  3  │ │ 0 0  1 1  2 2  3 3  │               word   member + 4·(r / 2)
//   rows     │ 4  5  6  7  │ 4  5  6  7  │ │ 4 4  5 5  6 6  7 7  │
//   0 … 7    │ …   a0      │ …   a2      │ │ …    c0 c1          │         b_r   word   member + 4·r
//            ├─────────────┼─────────────┤ ├─────────────────────┤               column group
//            │ 0  1  2  3  │ 0  1  2  3  │ │ 0 0  1 1  2 2  3 3  │
//   8 … 15   │ …   a1      │ …   a3      │ │ …    c2 c3          │         c_r   row    group + 8·(r / 2)
//            └─────────────┴─────────────┘ └─────────────────────┘               column 2·member + r % 2
//
// A word is a register of 32 bits: one number in TF32, or two in bf16 that follow each other along the depth, the first
// in the lower half. So 8 words are a depth of 8 or of 16, and the picture is the same. C's sums are float32.
//
//     TF32   8 bits of exponent, 10 of fraction: of a float32 the last 13 bits are rounded away, ties away from zero
//     bf16   8 bits of exponent,  7 of fraction: the last 16 bits are rounded away, ties to even
//
// load_matrices reads four matrices of 8 × 8 numbers of 16 bits, or 8 × 4 words, from shared memory: lane 8·r + k hands
// in the address of matrix r's row k, 16 bytes, and receives word member of each matrix's row group: fragments of A, or
// of two B, whose words are neighbours. load_matrices_transposed gives every lane instead the numbers of rows 2·member
// and 2·member + 1 in column group, as one word: in bf16 these are fragments whose words lie across the rows.
//
// From the manual, NVIDIA's PTX ISA 9.0: 9.7.14.5.7 "Matrix Fragments for mma.m16n8k8" (.tf32) and 9.7.14.5.8 "Matrix
// Fragments for mma.m16n8k16 with floating point type" (.bf16); 9.7.14.5.15 "ldmatrix"; the roundings in 9.7.9.21, cvt.
// (What a TF32 looks like in memory is left open there, so a word that cvt did not make must not reach mma.) On a GPU
// of compute capability 8.0 or newer. Without one, tests/cuda_on_cpu/mma_on_cpu.h has the same six functions, written
// from the same pages.
#pragma once

#ifdef __CUDACC__
__device__ __forceinline__ unsigned to_tf32(float x) {
    unsigned word;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(word) : "f"(x));
    return word;
}

__device__ __forceinline__ unsigned to_bf16x2(float low, float high) {
    unsigned word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
}

#define TENSOR_CORE(name, shape_and_types)                                                                  \
    __device__ __forceinline__ void name(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {   \
        asm volatile("mma.sync.aligned." shape_and_types                                                    \
                     " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                     \
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                       \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                   \
    }
TENSOR_CORE(mma_tf32, "m16n8k8.row.col.f32.tf32.tf32.f32")
TENSOR_CORE(mma_bf16, "m16n8k16.row.col.f32.bf16.bf16.f32")

#define LOAD_MATRICES(name, transposed)                                                                     \
    __device__ __forceinline__ void name(                                                                   \
        unsigned& r0, unsigned& r1, unsigned& r2, unsigned& r3, const unsigned* row                         \
    ) {                                                                                                     \
        asm volatile("ldmatrix.sync.aligned.m8n8.x4" transposed ".shared.b16 {%0, %1, %2, %3}, [%4];"       \
                     : "=r"(r0), "=r"(r1), "=r"(r2), "=r"(r3)                                               \
                     : "r"((unsigned)__cvta_generic_to_shared(row))                                         \
                     : "memory");                                                                           \
    }
LOAD_MATRICES(load_matrices, "")
LOAD_MATRICES(load_matrices_transposed, ".trans")
#endif

constexpr int MMA_ROWS = 16, MMA_COLUMNS = 8, MMA_WORDS = 8;

// Where the parts of a lane's fragments are, as drawn above.
__device__ inline int a_row(int lane, int r) { return lane / 4 + 8 * (r % 2); }
__device__ inline int a_word(int lane, int r) { return lane % 4 + 4 * (r / 2); }
__device__ inline int b_word(int lane, int r) { return lane % 4 + 4 * r; }
__device__ inline int b_column(int lane) { return lane / 4; }
__device__ inline int c_row(int lane, int r) { return lane / 4 + 8 * (r / 2); }
__device__ inline int c_column(int lane, int r) { return 2 * (lane % 4) + r % 2; }

// The two kinds of factors. NUMBERS: in a word. word(x, apart): from x[0] and, where it takes two, x[apart].
//
// across_a, across_b: fragments of A and of two B whose depth goes from pixel to pixel: at(k) is where the numbers of
// pixel k begin, in words; of A, those from `first` on are meant. PAD_ACROSS: words between pixels (conv2d_mma.cuh says
// why).
struct tf32 {
    static constexpr int NUMBERS = 1, PAD_ACROSS = 8;
    static __device__ unsigned word(const float* x, int) { return to_tf32(x[0]); }
    static __device__ void mma(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) { mma_tf32(c, a, b); }
    static __device__ void put(unsigned* words, Four f) {
        *reinterpret_cast<uint4*>(words) = {to_tf32(f.x), to_tf32(f.y), to_tf32(f.z), to_tf32(f.w)};
    }
    template <class At>
    static __device__ void across_a(unsigned (&a)[4], const At& at, int first) {
        const int lane = threadIdx.x % WARP;
        const unsigned *near = at(lane % 4) + first + lane / 4, *far = at(lane % 4 + 4) + first + lane / 4;
        a[0] = near[0], a[1] = near[8], a[2] = far[0], a[3] = far[8];
    }
    template <class At>
    static __device__ void across_b(unsigned (&b)[2][2], const At& at) {
        const int lane = threadIdx.x % WARP;
        const unsigned *near = at(lane % 4) + lane / 4, *far = at(lane % 4 + 4) + lane / 4;
        b[0][0] = near[0], b[0][1] = far[0], b[1][0] = near[8], b[1][1] = far[8];
    }
};

struct bf16 {
    static constexpr int NUMBERS = 2, PAD_ACROSS = 4;
    static __device__ unsigned word(const float* x, int apart) { return to_bf16x2(x[0], x[apart]); }
    static __device__ void mma(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) { mma_bf16(c, a, b); }
    static __device__ void put(unsigned* words, Four f) {
        *reinterpret_cast<uint2*>(words) = {to_bf16x2(f.x, f.y), to_bf16x2(f.z, f.w)};
    }
    template <class At>
    static __device__ void across_a(unsigned (&a)[4], const At& at, int first) {
        const int lane = threadIdx.x % WARP;
        load_matrices_transposed(a[0], a[1], a[2], a[3], at(lane % 8 + lane / 16 * 8) + first + lane / 8 % 2 * 4);
    }
    template <class At>
    static __device__ void across_b(unsigned (&b)[2][2], const At& at) {
        const int lane = threadIdx.x % WARP;
        const unsigned* row = at(lane % 8 + lane / 8 % 2 * 8) + lane / 16 * 4;
        load_matrices_transposed(b[0][0], b[0][1], b[1][0], b[1][1], row);
    }
};
