// CUDA C++ on a processor without a GPU: every thread of a block is a fiber, and the fibers take turns.
//
// A fiber runs until it comes to a barrier or to its end. Once all fibers of a block have come to the same barrier they
// go on; if some came to another one, or have ended, the barrier is *divergent*, which on a GPU is undefined: it is
// counted. In what order fibers take their turns is chosen by `order`, since a barrier that was left out shows only in
// some of them. Shared memory is filled with NaN before each block, so what was not written cannot be read unnoticed.
//
// Covered: threads, blocks, shared memory, __syncthreads, __syncthreads_or, __syncwarp, __shfl_*_sync, atomicAdd,
// atomicInc, and in mma_on_cpu.h tensor cores. Not covered: the memory model between barriers and between blocks (so
// __threadfence does nothing, and nobody misses it), clocks, how many blocks fit on a multiprocessor.
#pragma once
#include <setjmp.h>
#include <ucontext.h>

// No <algorithm>, <functional> or <random>: with them every library would take half as long again to compile.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define SHARED(type, name) type* name = reinterpret_cast<type*>(cuda_on_cpu::shared.data())

struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x = 1, y = 1, z = 1; };
struct alignas(16) float4 { float x, y, z, w; };  // read from elsewhere it ends the program, as on a GPU
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
inline thread_local uint3 threadIdx, blockIdx;
inline thread_local dim3 blockDim, gridDim;

namespace cuda_on_cpu {

enum State { READY, AT_BLOCK_BARRIER, AT_WARP_BARRIER, DONE };
constexpr int WARP = 32, STACK = 64 << 10;
enum Order { FORWARD, BACKWARD, SHUFFLED, WARP_BY_WARP };

struct Fiber {
    std::vector<char> stack = std::vector<char>(STACK);
    ucontext_t start;
    jmp_buf place;  // where it waits. (swapcontext would do, but asks the system each time, and takes ten times as long)
    bool started = false;
    State state;
    int barrier;  // the line of the barrier that it waits at
};

inline thread_local std::vector<Fiber> fibers;
inline thread_local std::vector<uint64_t> exchanged;  // what the threads of a warp show each other
inline thread_local std::vector<unsigned char> shared;
inline thread_local jmp_buf scheduler;
inline thread_local void (*kernel)(void** arguments);
inline thread_local void** arguments;
inline thread_local int current;
inline thread_local int order = FORWARD;
inline thread_local unsigned seed = 0;
inline thread_local long divergent = 0;

inline void wait(State at, int barrier) {
    Fiber& fiber = fibers[current];
    fiber.state = at;
    fiber.barrier = barrier;
    if (!_setjmp(fiber.place)) _longjmp(scheduler, 1);
}

inline void begin() {
    for (;;) {  // a fiber is made once, and serves in one block after the other
        kernel(arguments);
        wait(DONE, 0);
    }
}

inline void resume(int t) {
    current = t;
    threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y)};
    Fiber& fiber = fibers[t];
    if (_setjmp(scheduler)) return;  // the fiber waits, or is done
    if (fiber.started) _longjmp(fiber.place, 1);
    fiber.started = true;
    setcontext(&fiber.start);
}

// A warp goes on when each of its threads waits for the warp, or is done.
inline bool release_warp(int first, int threads) {
    const int last = std::min(threads, first + WARP);
    bool waiting = false, complete = true;
    for (int t = first; t < last; t++) {
        waiting |= fibers[t].state == AT_WARP_BARRIER;
        complete &= fibers[t].state == AT_WARP_BARRIER || fibers[t].state == DONE;
    }
    if (!waiting || !complete) return false;
    for (int t = first; t < last; t++)
        if (fibers[t].state == AT_WARP_BARRIER) fibers[t].state = READY;
    return true;
}

inline bool release_warps(int threads) {
    bool released = false;
    for (int first = 0; first < threads; first += WARP) released |= release_warp(first, threads);
    return released;
}

inline void make_fibers(int threads) {
    fibers.clear();  // they must not move once they have begun
    fibers.resize(threads);
    exchanged.resize(threads);
    for (Fiber& fiber : fibers) {
        getcontext(&fiber.start);
        fiber.start.uc_stack.ss_sp = fiber.stack.data();
        fiber.start.uc_stack.ss_size = STACK;
        fiber.start.uc_link = nullptr;
        makecontext(&fiber.start, begin, 0);
    }
}

inline void begin_mma(int threads);

// A random order (Fisher & Yates), from the numbers of a linear congruential generator.
inline void shuffle(std::vector<int>& turns, uint64_t& state) {
    for (int left = turns.size(); left > 1; left--) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        std::swap(turns[left - 1], turns[(state >> 33) % left]);
    }
}

// 0 … count − 1, as `order` says
inline std::vector<int> in_order(int count) {
    std::vector<int> turns(count);
    for (int t = 0; t < count; t++) turns[t] = order == BACKWARD ? count - 1 - t : t;
    return turns;
}

inline void run_block() {
    const int threads = blockDim.x * blockDim.y * blockDim.z;
    if ((int)fibers.size() < threads) make_fibers(threads);
    std::fill(shared.begin(), shared.end(), 0xff);  // NaN, as float and as double
    begin_mma(threads);
    for (int t = 0; t < threads; t++) fibers[t].state = READY;
    uint64_t draws = seed;
    std::vector<int> turns = in_order(threads);
    for (;;) {
        if (order == SHUFFLED) shuffle(turns, draws);
        for (int t : turns) {
            if (fibers[t].state == READY) resume(t);
            // A warp that has all its turns first runs ahead of the others as far as it can.
            if (order == WARP_BY_WARP && t % WARP == WARP - 1)
                while (release_warp(t - t % WARP, threads))
                    for (int mine = t - t % WARP; mine <= t; mine++)
                        if (fibers[mine].state == READY) resume(mine);
        }
        if (release_warps(threads)) continue;
        int waiting = 0, elsewhere = 0, line = -1;
        for (int t = 0; t < threads; t++) {
            if (fibers[t].state == DONE) continue;
            if (line < 0) line = fibers[t].barrier;
            waiting++;
            elsewhere += fibers[t].barrier != line || fibers[t].state != AT_BLOCK_BARRIER;
        }
        if (waiting == 0) return;
        divergent += elsewhere > 0 || waiting < threads;
        for (int t = 0; t < threads; t++)
            if (fibers[t].state != DONE) fibers[t].state = READY;
    }
}

inline void launch(const int* grid, const int* block, size_t shared_bytes, void (*f)(void**), void** given) {
    gridDim = {(unsigned)grid[0], (unsigned)grid[1], (unsigned)grid[2]};
    blockDim = {(unsigned)block[0], (unsigned)block[1], (unsigned)block[2]};
    kernel = f;
    arguments = given;
    shared.resize(shared_bytes);
    std::vector<int> turns = in_order(gridDim.x * gridDim.y * gridDim.z);
    uint64_t draws = seed;
    if (order == SHUFFLED) shuffle(turns, draws);
    for (int b : turns) {
        blockIdx = {b % gridDim.x, b / gridDim.x % gridDim.y, b / (gridDim.x * gridDim.y)};
        run_block();
    }
}

// value, as the thread `lane` of this warp has it.
template <class T>
T from_lane(T value, int lane, int line) {
    static_assert(sizeof(T) <= sizeof(uint64_t));
    const int first = current / WARP * WARP;
    memcpy(&exchanged[current], &value, sizeof(T));
    wait(AT_WARP_BARRIER, line);  // all have shown theirs
    T theirs;
    memcpy(&theirs, &exchanged[first + lane], sizeof(T));
    wait(AT_WARP_BARRIER, line);  // all have looked
    return theirs;
}

inline int lane() { return current % WARP; }

}  // namespace cuda_on_cpu

__attribute__((noinline)) inline void barrier(int line) { cuda_on_cpu::wait(cuda_on_cpu::AT_BLOCK_BARRIER, line); }
#define __syncthreads() barrier(__LINE__)
#define __syncwarp(...) cuda_on_cpu::wait(cuda_on_cpu::AT_WARP_BARRIER, __LINE__)

// True in all threads of the block if it is in one of them.
inline int any_in_block(bool mine, int line) {
    const int threads = blockDim.x * blockDim.y * blockDim.z;
    cuda_on_cpu::exchanged[cuda_on_cpu::current] = mine;
    barrier(line);  // all have shown theirs
    bool any = false;
    for (int t = 0; t < threads; t++) any |= cuda_on_cpu::exchanged[t] != 0;
    barrier(line);  // all have looked
    return any;
}
#define __syncthreads_or(mine) any_in_block(mine, __LINE__)
inline void __threadfence() {}

template <class T>
T __shfl_sync(unsigned, T value, int lane) {
    return cuda_on_cpu::from_lane(value, lane % cuda_on_cpu::WARP, __LINE__);
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    return cuda_on_cpu::from_lane(value, cuda_on_cpu::lane() ^ mask, __LINE__);
}
template <class T>
T __shfl_down_sync(unsigned, T value, int delta) {
    const int lane = cuda_on_cpu::lane() + delta;
    return cuda_on_cpu::from_lane(value, lane < cuda_on_cpu::WARP ? lane : cuda_on_cpu::lane(), __LINE__);
}
template <class T>
T atomicAdd(T* place, T value) {
    const T before = *place;
    *place = before + value;
    return before;
}
inline unsigned atomicInc(unsigned* place, unsigned most) {  // counts 0 … most, and again from 0
    const unsigned before = *place;
    *place = before >= most ? 0 : before + 1;
    return before;
}
inline float rsqrt(float x) { return 1 / std::sqrt(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
using std::max;
using std::min;

#include "mma_on_cpu.h"
