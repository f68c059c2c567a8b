"""STFT, mel and spectral features on Apple MLX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import backend, cpu

if not (backend.has_mlx() or cpu.available()):
    raise ImportError(backend.MISSING)

__all__ = [
    "CenterPadMode",
    "CenterTailPad",
    "ISTFTBackendPolicy",
    "LogMelMode",
    "MelMode",
    "MelNorm",
    "MelOutputScale",
    "MelScale",
    "STFTOutputLayout",
    "SpectralTransform",
    "WindowLike",
    "get_cache_debug_stats",
    "get_transform_mlx",
    "make_window",
    "reset_cache_debug_stats",
    "resolve_fft_params",
    "spec_mlx_device_key",
]

if TYPE_CHECKING or backend.has_mlx():
    from .diagnostics import get_cache_debug_stats, reset_cache_debug_stats, spec_mlx_device_key
    from .geometry import resolve_fft_params
    from .transform import SpectralTransform, get_transform_mlx
    from .types import (
        CenterPadMode,
        CenterTailPad,
        ISTFTBackendPolicy,
        LogMelMode,
        MelMode,
        MelNorm,
        MelOutputScale,
        MelScale,
        STFTOutputLayout,
        WindowLike,
    )
    from .windows import make_window
else:

    def __getattr__(name: str) -> Any:
        if name in __all__:
            raise ImportError(backend.MISSING)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
