"""Fused kernels: compiled by numba for host memory, and as text for Metal and CUDA."""
