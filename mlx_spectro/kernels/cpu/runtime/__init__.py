"""What compiled kernels run on: vectors, threads, memory, the compiler and its cache."""
