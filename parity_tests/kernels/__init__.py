"""Tests of kernels: on the CPU, and of the GPU text by a C++ compiler."""
