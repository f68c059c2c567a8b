"""GPU kernels: fused transforms written once for Metal and CUDA.

A kernel is data (:class:`~mlx_spectro.kernels.gpu.dialect.Kernel`), its body knows pointers and numbers only, and
:mod:`~mlx_spectro.kernels.gpu.launch_mlx` alone knows MLX.
"""

from __future__ import annotations

from .descriptors import serves as describes
from .descriptors import table as descriptor_table
from .features import Bank, bank, clip, describe, filterbank, frame_number, project
from .launch_mlx import available
from .operations import istft, istft_adjoint, overlap_add, stft, stft_adjoint, why_not
from .projection import serves as projects
from .tune import compiling

__all__ = [
    "Bank",
    "available",
    "bank",
    "clip",
    "compiling",
    "describe",
    "describes",
    "descriptor_table",
    "filterbank",
    "frame_number",
    "istft",
    "istft_adjoint",
    "overlap_add",
    "project",
    "projects",
    "stft",
    "stft_adjoint",
    "why_not",
]
