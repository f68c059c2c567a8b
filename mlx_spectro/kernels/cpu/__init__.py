"""Transforms of NumPy arrays by host kernels: fast, multi-threaded, in float32 or float64. Needs numba.

numba is imported when the first of these functions is used.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from mlx_spectro import caches

from ...design.descriptors import Wanted
from .runtime.loading import busy, idle, under_way
from .runtime.threads import get_num_threads, set_num_threads

if TYPE_CHECKING:
    from .frame_statistics import frame_crossings, frame_norm
    from .levels import decibels
    from .peaks import spectral_peaks
    from .plan import compiled
    from .polar import magphase
    from .spectra import describe, describe_given, filterbank, project, spectrogram
    from .transforms import istft, istft_adjoint, stft, stft_adjoint

_HOME = {
    "levels": ("decibels",),
    "transforms": ("istft", "istft_adjoint", "stft", "stft_adjoint"),
    "peaks": ("spectral_peaks",),
    "polar": ("magphase",),
    "plan": ("compiled",),
    "spectra": ("describe", "describe_given", "filterbank", "project", "spectrogram"),
    "frame_statistics": ("frame_crossings", "frame_norm"),
}
__all__ = [
    "Wanted",
    "available",
    "busy",
    "compiled",
    "decibels",
    "describe",
    "describe_given",
    "filterbank",
    "frame_crossings",
    "frame_norm",
    "get_num_threads",
    "istft",
    "istft_adjoint",
    "load",
    "magphase",
    "project",
    "set_num_threads",
    "spectral_peaks",
    "spectrogram",
    "stft",
    "stft_adjoint",
]


@functools.cache
def available() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def load() -> bool:
    """Load the compiled code that is kept, and compile nothing; whether any is ready for use.

    Takes a second. Nothing is done, not even to import numba, where no code is kept, or while a thread compiles.
    """
    if not (idle() and caches.host_kernels()):
        return False
    for name in _HOME:
        _module(name)
    loaded: bool = _module("runtime.compile").load_kept()
    return loaded


def _module(name: str) -> Any:
    with under_way():
        return importlib.import_module(f".{name}", __name__)


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names:
            globals()[name] = getattr(_module(module), name)
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
