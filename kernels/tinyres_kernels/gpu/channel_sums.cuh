// Two sums over all rows of each channel, in one launch.
//
//     1. every block adds up its rows                            -> a pair of sums for each of its channels
//     2. its thread 0 hands them in, and counts how many blocks have done so
//     3. the block that hands in last adds up everybody's        -> the result
//
// Which block comes last differs from run to run, but not what it computes: it adds up all pairs, its own too, in the
// order of the blocks. So the bits are the same every time. Float32 sums of some hundred rows are joined in float64.
#pragma once
#include "channels.cuh"

using Sums = Pair<Numbers>;
using Joined = Pair<Vector<double>>;

// How many blocks have handed in their sums, for each blockIdx.y (a grid has no more). 0 between launches. Launches
// that use it must come one after another, in one stream.
__device__ unsigned handed_in[65535];

// part(channel, sums) of the block's channels -> parts (2, blocks, C). Thread 0 writes them all, so that it need not
// wait for others. True, for all threads, in the block that is last: it may read all parts.
template <class Part>
__device__ bool hand_in(const Part& part, const Sums* sums, real* parts, int C) {
    bool last = false;
    if (threadIdx.x == 0) {
        for (int a = 0, channel = my_channel(); a < ACROSS && channel < C; a++, channel += VECTOR) {
            const Sums mine = part(channel, sums[a]);
            store(parts, blockIdx.x * C + channel, mine.first);
            store(parts, (gridDim.x + blockIdx.x) * C + channel, mine.second);
        }
        __threadfence();  // whoever sees the count sees what was written before it
        last = atomicInc(&handed_in[blockIdx.y], gridDim.x - 1) == gridDim.x - 1;  // it becomes 0 again
        __threadfence();
    }
    return __syncthreads_or(last);
}

// The sum of join(i, part) over all parts, where i is the first one's place in parts, for this thread's channels. All
// threads of the last block must come here.
template <class Join>
__device__ Joined join_parts(const Join& join, const real* parts, int C) {
    SHARED(Joined, shared);
    Joined mine = {};
    down_the_channels(
        0, gridDim.x, C, [&](int i) { return Sums{load(parts, i), load(parts, gridDim.x * C + i)}; },
        [&](int i, const Sums& part) { mine = mine + join(i, part); }
    );
    add_up_channels(mine, shared);
    return shared[threadIdx.x % ACROSS];
}
