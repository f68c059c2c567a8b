"""Our kernels on torch's CUDA tensors: what has to hold of them on the machine itself, and their times."""

import os

# a fault of ours is to be seen
os.environ.setdefault("MLX_SPECTRO_ON_FAULT", "raise")
