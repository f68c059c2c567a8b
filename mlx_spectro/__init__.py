"""STFT, mel and spectral features on Apple MLX."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import distribution
from .kernels import cpu
from .kernels.cpu import get_num_threads, set_num_threads
from .ops import backend

if not (backend.has_mlx() or cpu.available()):
    raise ImportError(backend.MISSING)

__all__ = [
    "CenterPadMode",
    "CenterTailPad",
    "FilteredOutputScale",
    "FilteredSpectrogramTransform",
    "ISTFTBackendPolicy",
    "LogMelMode",
    "LogMelSpectrogramTransform",
    "MFCCTransform",
    "MelMode",
    "MelNorm",
    "MelOutputScale",
    "MelScale",
    "MelSpectrogramTransform",
    "STFTOutputLayout",
    "SpectralFeatureTransform",
    "SpectralTransform",
    "WindowLike",
    "amplitude_to_db",
    "chroma_stft",
    "dct_matrix",
    "get_cache_debug_stats",
    "get_num_threads",
    "get_transform_mlx",
    "make_window",
    "melscale_fbanks",
    "mfcc",
    "onset_strength",
    "onset_strength_multi",
    "reset_cache_debug_stats",
    "resolve_fft_params",
    "rms",
    "set_num_threads",
    "spec_mlx_device_key",
    "spectral_bandwidth",
    "spectral_centroid",
    "spectral_contrast",
    "spectral_features",
    "spectral_flatness",
    "spectral_rolloff",
    "waveform_overlap_add",
    "zero_crossing_rate",
]

if TYPE_CHECKING:
    __version__: str
    from .design.framing import resolve_fft_params
    from .design.windows import make_window
    from .diagnostics import get_cache_debug_stats, reset_cache_debug_stats, spec_mlx_device_key
    from .features.bundle import SpectralFeatureTransform, spectral_features
    from .features.chroma import chroma_stft
    from .features.decibels import amplitude_to_db
    from .features.descriptors import (
        spectral_bandwidth,
        spectral_centroid,
        spectral_contrast,
        spectral_flatness,
        spectral_rolloff,
    )
    from .features.energy import rms, zero_crossing_rate
    from .features.filterbank import FilteredSpectrogramTransform
    from .features.mel import LogMelSpectrogramTransform, MelSpectrogramTransform, melscale_fbanks
    from .features.mfcc import MFCCTransform, dct_matrix, mfcc
    from .features.onset import onset_strength, onset_strength_multi
    from .features.overlap_add import waveform_overlap_add
    from .features.stft import SpectralTransform, get_transform_mlx
    from .types import (
        CenterPadMode,
        CenterTailPad,
        FilteredOutputScale,
        ISTFTBackendPolicy,
        LogMelMode,
        MelMode,
        MelNorm,
        MelOutputScale,
        MelScale,
        STFTOutputLayout,
        WindowLike,
    )
else:
    # MLX is imported when the first of these names is used: the adapters may not need it, and it may not start
    _MODULES = (
        "design.framing",
        "design.windows",
        "diagnostics",
        "features.bundle",
        "features.chroma",
        "features.descriptors",
        "features.energy",
        "features.filterbank",
        "features.mel",
        "features.mfcc",
        "features.onset",
        "features.overlap_add",
        "features.stft",
        "features.decibels",
        "types",
    )

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return _version()
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if not backend.has_mlx():
            raise ImportError(f"{name} needs MLX. {backend.MISSING}")
        for module in _MODULES:
            found = vars(importlib.import_module(f".{module}", __name__))
            globals().update({public: found[public] for public in __all__ if public in found})
        return globals()[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__, "__version__"})

    def _version() -> str:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version(distribution.NAME)
        except PackageNotFoundError:
            raise AttributeError(f"{__name__} has no __version__: {distribution.NAME} is not installed") from None
