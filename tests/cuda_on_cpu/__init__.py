"""CUDA C++ without a GPU: cuda_on_cpu.h runs a kernel's threads as fibers, emulator.py stands in for CuPy."""
