// Neighbouring numbers that are read, computed and written together: an access of 16 bytes takes as long as one of 4.
//
// VECTOR is 4 where the lengths and addresses of all arrays allow it, else 1 (vector_of in launch.py). The arithmetic
// below is written as for single numbers.
#pragma once
#include "common.cuh"

#ifndef VECTOR
#define VECTOR 1
#endif

template <class Number>
struct alignas(VECTOR == 1 ? sizeof(Number) : 16) Vector {
    Number of[VECTOR];
};
using Numbers = Vector<real>;

__device__ inline Numbers load(const real* x, int i) { return *reinterpret_cast<const Numbers*>(x + i); }
__device__ inline void store(real* y, int i, const Numbers& values) { *reinterpret_cast<Numbers*>(y + i) = values; }

// f(0), f(1), …
template <class F>
__device__ inline auto each(const F& f) {
    Vector<decltype(f(0))> y;
    for (int k = 0; k < VECTOR; k++) y.of[k] = f(k);
    return y;
}

template <class Number>
__device__ inline Vector<Number> operator+(const Vector<Number>& a, const Vector<Number>& b) {
    return each([&](int k) { return a.of[k] + b.of[k]; });
}
template <class Number>
__device__ inline Vector<Number> operator-(const Vector<Number>& a, const Vector<Number>& b) {
    return each([&](int k) { return a.of[k] - b.of[k]; });
}
template <class Number>
__device__ inline Vector<Number> operator*(const Vector<Number>& a, const Vector<Number>& b) {
    return each([&](int k) { return a.of[k] * b.of[k]; });
}
template <class Number>
__device__ inline Vector<Number> operator*(Number a, const Vector<Number>& b) {
    return each([&](int k) { return a * b.of[k]; });
}

template <class T>
struct Pair {
    T first, second;
};
template <class T>
__device__ inline Pair<T> operator+(const Pair<T>& a, const Pair<T>& b) {
    return {a.first + b.first, a.second + b.second};
}

__device__ inline Vector<double> as_doubles(const Numbers& x) {
    return each([&](int k) { return double(x.of[k]); });
}

// max(x, 0)
__device__ inline Numbers relu(const Numbers& x) {
    return each([&](int k) { return x.of[k] < 0 ? real(0) : x.of[k]; });  // a NaN stays NaN
}
// gy where y > 0, else 0
__device__ inline Numbers gated(const Numbers& gy, const Numbers& y) {
    return each([&](int k) { return y.of[k] > 0 ? gy.of[k] : real(0); });
}
