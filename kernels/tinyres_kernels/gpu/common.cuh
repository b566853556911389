// What every kernel here begins with. The same files run on a GPU and, for the tests, on a CPU (tests/cuda_on_cpu).
//
// real   float or double: a file is compiled once for each, with -Dreal=…
// SHARED(type, name)   the block's shared memory, as many bytes as the launch asks for
#pragma once

#ifdef __CUDACC__
extern __shared__ __align__(16) unsigned char shared_bytes[];
#define SHARED(type, name) type* name = reinterpret_cast<type*>(shared_bytes)
#endif

constexpr int WARP = 32;  // threads that go along together

struct alignas(2 * sizeof(real)) Two { real x, y; };
struct alignas(16) Four { real x, y, z, w; };  // one access of 16 bytes in float, two in double

// One thread for each number; where there are more numbers than threads, a thread takes every grid-th one.
#define FOR_EACH(i, count) \
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (count); i += gridDim.x * blockDim.x)
