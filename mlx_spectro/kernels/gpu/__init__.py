"""GPU kernels: fused transforms written once for Metal and CUDA.

For an operator and the shapes of its arguments, :func:`program` gives launches, as data: texts, scalars, grids and
shapes. A body knows pointers and numbers only. :class:`~mlx_spectro.kernels.gpu.launcher.Launcher` runs programs on the
arrays of a library; :mod:`~mlx_spectro.kernels.gpu.launch_mlx`, which alone knows MLX, is the one for MLX's.
"""

from __future__ import annotations

from .programs import Program, program, why_not
from .tune import compiling

__all__ = ["Program", "compiling", "program", "why_not"]
