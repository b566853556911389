// The mean loss of a step and how many pictures were classified correctly, written into the epoch's tables for this
// step. One block is enough: there are a few hundred pictures, and only two numbers come out.
#include "common.cuh"

constexpr int TALLY_THREADS = 256;

// scores (N,K), labels (N), losses (N) -> loss_of[step], correct_of[step], and state[1] = 1 if the loss is NaN or Inf.
// If state[1] is 1 already nothing is written, so the tables keep what the broken step wrote.
extern "C" __global__ void __launch_bounds__(TALLY_THREADS) tally(
    const real* scores, const int* labels, const real* losses, int* state, double* loss_of, int* correct_of, int N,
    int K
) {
    if (state[1]) return;  // all threads do the same: it is written after the last barrier
    SHARED(double, shared);
    double *loss = shared, *correct = shared + TALLY_THREADS;
    const int t = threadIdx.x;
    loss[t] = correct[t] = 0;
    for (int n = t; n < N; n += TALLY_THREADS) {
        const real* row = scores + n * K;
        const real own = row[labels[n]];
        bool first_of_largest = own == own;
        for (int k = 0; k < K; k++)  // as argmax: the first of equals wins, and a NaN is larger than all
            if (row[k] != row[k] || row[k] > own || (row[k] == own && k < labels[n])) first_of_largest = false;
        loss[t] += losses[n];
        correct[t] += first_of_largest;
    }
    __syncthreads();
    for (int half = TALLY_THREADS / 2; half > 0; half /= 2) {
        if (t < half) loss[t] += loss[t + half], correct[t] += correct[t + half];
        __syncthreads();
    }
    if (t > 0) return;
    loss_of[state[0]] = loss[0] / N;
    correct_of[state[0]] = correct[0];
    if (!(loss[0] - loss[0] == 0)) state[1] = 1;
}
