// As many multiply-adds as a GPU can do, and nothing else: all numbers stay in registers. This is the roof of the
// roofline. With FACTOR (tf32 or bf16) it uses the tensor cores (mma.cuh).
//
// Every thread, or every warp, has 8 sums that do not wait for each other, because a multiply-add takes several cycles.
#include "common.cuh"
#ifdef FACTOR
#include "mma.cuh"
#endif

constexpr int SUMS = 8;

// x: one number for each thread; it becomes the total of the sums
extern "C" __global__ void multiply_adds(real* x, int rounds) {
    const int t = blockIdx.x * blockDim.x + threadIdx.x;
    real total = 0;
#ifdef FACTOR
    const real number[2] = {x[t], x[t]};
    const unsigned word = FACTOR::word(number, 1);
    const unsigned a[4] = {word, word, word, word}, b[2] = {word, word};
    float sums[SUMS][4] = {};
    for (int round = 0; round < rounds; round++)
        for (int s = 0; s < SUMS; s++) FACTOR::mma(sums[s], a, b);
    for (int s = 0; s < SUMS; s++) total += sums[s][0] + sums[s][1] + sums[s][2] + sums[s][3];
#else
    const real number = x[t];
    real sums[SUMS] = {};
    for (int round = 0; round < rounds; round++)
        for (int s = 0; s < SUMS; s++) sums[s] = sums[s] * number + number;
    for (int s = 0; s < SUMS; s++) total += sums[s];
#endif
    x[t] = total;
}
