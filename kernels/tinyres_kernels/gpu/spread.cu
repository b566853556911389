// y[first + step·i] = x[i] along every axis, and `value` everywhere else: a border, gaps, or bytes in another order.
// x's bytes may have any order; y's are in that of its four axes. One thread for every vector of y (vector.cuh): if
// neighbours along the last axis stay neighbours, then lengths and places of that axis, and all of x's strides, count
// vectors. To find a place takes a dozen divisions, which the numbers of a vector share.
#include "vector.cuh"

struct Axis {
    int length, first, step, x_length, x_stride;  // of y; x's place and step in y; of x

    // Is there a number of x at this place of y?
    __device__ bool holds(int place) const {
        const int from_first = place - first;
        return from_first >= 0 && from_first % step == 0 && from_first / step < x_length;
    }
    __device__ int x_offset(int place) const { return (place - first) / step * x_stride; }
};

extern "C" __global__ void spread(
    const real* __restrict__ x, real* __restrict__ y, real value, int count, int length_0, int first_0, int step_0,
    int x_length_0,
    int x_stride_0, int length_1, int first_1, int step_1, int x_length_1, int x_stride_1, int length_2, int first_2,
    int step_2, int x_length_2, int x_stride_2, int length_3, int first_3, int step_3, int x_length_3, int x_stride_3
) {
    const Axis a = {length_0, first_0, step_0, x_length_0, x_stride_0};
    const Axis b = {length_1, first_1, step_1, x_length_1, x_stride_1};
    const Axis c = {length_2, first_2, step_2, x_length_2, x_stride_2};
    const Axis d = {length_3, first_3, step_3, x_length_3, x_stride_3};
    FOR_EACH(at, count) {
        const int l = at % d.length, k = at / d.length % c.length, j = at / d.length / c.length % b.length,
                  i = at / d.length / c.length / b.length;
        const bool inside = a.holds(i) && b.holds(j) && c.holds(k) && d.holds(l);
        const int from = a.x_offset(i) + b.x_offset(j) + c.x_offset(k) + d.x_offset(l);
        store(y, at * VECTOR, inside ? load(x, from * VECTOR) : each([&](int) { return value; }));
    }
}
