// A tensor core without a GPU: the six functions of mma.cuh that are PTX there, for fibers. Written from NVIDIA's manual,
// PTX ISA 9.0, and not from mma.cuh: the fragments as 9.7.14.5.7 ("Matrix Fragments for mma.m16n8k8", .tf32) and
// 9.7.14.5.8 ("… mma.m16n8k16 with floating point type", .bf16) have them, element by element; the roundings as 9.7.9.21.
//
// All 32 threads of the warp must come to the same mma, which a GPU takes for granted (.aligned): if not, it is counted as
// a divergent barrier. A TF32's layout is left open by the manual, so a word with any of the 13 bits set that cvt rounds
// away did not come from there: it is counted too.
#pragma once

namespace cuda_on_cpu {

struct Fragments {
    unsigned a[4], b[2];
    int calls = 0;  // of mma by this thread, in this block
};
struct Product {
    float sums[16][8];
    int calls = 0;
};

inline thread_local std::vector<Fragments> fragments;  // of each thread
inline thread_local std::vector<Product> products;     // of each warp
inline thread_local long unconverted = 0;

inline void begin_mma(int threads) {
    fragments.assign(threads, {});
    products.assign((threads + WARP - 1) / WARP, {});
}

inline float as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

inline unsigned as_bits(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

// A and B as whole matrices, from the fragments of the warp's 32 threads.
struct Tf32 {
    static constexpr int K = 8;
    static double element(const unsigned* words, int i) {
        unconverted += (words[i] & 0x1fff) != 0;
        return as_float(words[i]);
    }
    static int a_row(int group, int i) { return i == 0 || i == 2 ? group : group + 8; }
    static int a_col(int member, int i) { return i == 0 || i == 1 ? member : member + 4; }
    static int b_row(int member, int i) { return i == 0 ? member : member + 4; }
};

struct Bf16 {
    static constexpr int K = 16;
    static double element(const unsigned* words, int i) {  // the even ones in the lower halves
        return as_float(i % 2 == 0 ? words[i / 2] << 16 : words[i / 2] & 0xffff0000);
    }
    static int a_row(int group, int i) { return i < 2 || (i >= 4 && i < 6) ? group : group + 8; }
    static int a_col(int member, int i) { return member * 2 + i % 2 + (i < 4 ? 0 : 8); }
    static int b_row(int member, int i) { return member * 2 + i % 2 + (i < 2 ? 0 : 8); }
};

// The sums A·B of a warp. Added up in double: how exactly a tensor core adds is left open by the manual.
template <class Type>
void multiply(int first, Product& product) {
    double A[16][Type::K], B[Type::K][8];
    for (int lane = 0; lane < WARP; lane++) {
        const Fragments& theirs = fragments[first + lane];
        const int group = lane >> 2, member = lane % 4;
        for (int i = 0; i < Type::K / 2; i++) A[Type::a_row(group, i)][Type::a_col(member, i)] = Type::element(theirs.a, i);
        for (int i = 0; i < Type::K / 4; i++) B[Type::b_row(member, i)][group] = Type::element(theirs.b, i);
    }
    for (int row = 0; row < 16; row++)
        for (int column = 0; column < 8; column++) {
            double sum = 0;
            for (int k = 0; k < Type::K; k++) sum += A[row][k] * B[k][column];
            product.sums[row][column] = sum;
        }
}

template <class Type>
void mma(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2], int line) {
    Fragments& mine = fragments[current];
    memcpy(mine.a, a, sizeof a);
    memcpy(mine.b, b, sizeof b);
    mine.calls++;
    wait(AT_WARP_BARRIER, line);  // all have shown theirs
    Product& product = products[current / WARP];
    if (product.calls != mine.calls) {  // the first to go on computes for all
        const int first = current / WARP * WARP;
        bool aligned = first + WARP <= (int)fragments.size();
        for (int t = first; aligned && t < first + WARP; t++)
            aligned = fragments[t].calls == mine.calls && fibers[t].barrier == line;
        if (aligned) multiply<Type>(first, product);
        divergent += !aligned;
        product.calls = mine.calls;
    }
    const int group = lane() >> 2, member = lane() % 4;
    for (int i = 0; i < 4; i++) c[i] += product.sums[i < 2 ? group : group + 8][member * 2 + i % 2];
    wait(AT_WARP_BARRIER, line);  // all have looked
}

// The rows that the lanes of this warp hand in, 16 bytes each: lane 8·r + k that of matrix r's row k (9.7.14.5.15,
// "ldmatrix").
struct Rows {
    const unsigned* of_lane[WARP];
    template <class T>
    T element(int matrix, int row, int column) const {
        return reinterpret_cast<const T*>(of_lane[8 * matrix + row])[column];
    }
};

inline Rows rows_of_warp(const unsigned* row, int line) {
    if (reinterpret_cast<uintptr_t>(row) % 16 != 0) abort();  // as a GPU would
    Rows found;
    memcpy(&exchanged[current], &row, sizeof row);
    wait(AT_WARP_BARRIER, line);  // all have shown theirs
    for (int lane = 0; lane < WARP; lane++)
        memcpy(&found.of_lane[lane], &exchanged[current / WARP * WARP + lane], sizeof row);
    return found;
}

inline void load_matrices(unsigned* const (&r)[4], const unsigned* row, int line) {
    const Rows rows = rows_of_warp(row, line);
    for (int k = 0; k < 4; k++) *r[k] = rows.element<unsigned>(k, lane() / 4, lane() % 4);
    wait(AT_WARP_BARRIER, line);  // all have looked
}

inline void load_matrices_transposed(unsigned* const (&r)[4], const unsigned* row, int line) {
    const Rows rows = rows_of_warp(row, line);
    for (int k = 0; k < 4; k++) {
        const unsigned low = rows.element<uint16_t>(k, lane() % 4 * 2, lane() / 4);
        *r[k] = low | (unsigned)rows.element<uint16_t>(k, lane() % 4 * 2 + 1, lane() / 4) << 16;
    }
    wait(AT_WARP_BARRIER, line);
}

}  // namespace cuda_on_cpu

// 10 bits of fraction remain, rounded to nearest, ties away from zero.
inline unsigned to_tf32(float x) {
    const unsigned bits = cuda_on_cpu::as_bits(x);
    if (std::isnan(x)) return 0x7fffe000;
    return std::isinf(x) ? bits : (bits + 0x1000) & 0xffffe000;
}

// 7 bits of fraction remain, rounded to nearest, ties to even.
inline unsigned to_bf16(float x) {
    const unsigned bits = cuda_on_cpu::as_bits(x);
    return std::isnan(x) ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
inline unsigned to_bf16x2(float low, float high) { return to_bf16(low) | to_bf16(high) << 16; }

#define mma_tf32(c, a, b) cuda_on_cpu::mma<cuda_on_cpu::Tf32>(c, a, b, __LINE__)
#define mma_bf16(c, a, b) cuda_on_cpu::mma<cuda_on_cpu::Bf16>(c, a, b, __LINE__)
#define load_matrices(r0, r1, r2, r3, row) cuda_on_cpu::load_matrices({&(r0), &(r1), &(r2), &(r3)}, row, __LINE__)
#define load_matrices_transposed(r0, r1, r2, r3, row) \
    cuda_on_cpu::load_matrices_transposed({&(r0), &(r1), &(r2), &(r3)}, row, __LINE__)
