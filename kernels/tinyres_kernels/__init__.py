"""The ladder of kernels: the same functions on several rungs, each rung faster and harder to read than the one below.

    reference/   loops that anyone can check by eye: the definition, and the oracle for all the others
    array/       im2col and matrix products in array code, for NumPy and CuPy alike
    cpu/         compiled with numba, near the processor's peak
    numba_cuda/  convolution for a GPU, in Python compiled with numba
    gpu/         everything for a GPU, in CUDA C++

Kernels know arrays and ints and nothing of tinyres. contract.py says what each function takes and gives.
"""
