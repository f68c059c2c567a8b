"""Operators on NumPy arrays by host kernels: fast, multi-threaded, in float32 or float64. Needs numba.

numba is imported when the first operator is computed.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from ... import caches
from .runtime.loading import busy, idle, uncollected, under_way
from .runtime.threads import get_num_threads, set_num_threads

if TYPE_CHECKING:
    from ...design.operators import Operator
    from .autocorrelation import autocorrelations, first_autocorrelations
    from .channel_energy import normalized_energies
    from .convolution_maxima import largest_convolution
    from .delays import echo, flange
    from .differences import Differences
    from .griffinlim import with_phases
    from .group_statistics import aggregates, medians_of_columns
    from .interpolation import interpolate, interpolate_apart, weighed_harmonics
    from .lags import best_lags, lower_medians
    from .levels import quantize, shift
    from .linear_prediction import burg
    from .long_transforms import long_autocorrelation
    from .masks import softmasks
    from .peaks import deviations, spectral_peaks
    from .phase_vocoder import faintest
    from .phases import magphase
    from .plan import compiled
    from .pulses import keep_strongest
    from .quantization import codes, in_cells, values_of
    from .reassignment import DIVIDES, NEAR, reassigned
    from .runtime.layout import Layout
    from .sections import energies
    from .troughs import trough_probabilities
    from .vector_norms import divided, norms
    from .viterbi import Bands
    from .voice import Noise, clean

_HOME = {
    "DIVIDES": "reassignment",
    "NEAR": "reassignment",
    "Bands": "viterbi",
    "Differences": "differences",
    "Noise": "voice",
    "aggregates": "group_statistics",
    "autocorrelations": "autocorrelation",
    "best_lags": "lags",
    "burg": "linear_prediction",
    "clean": "voice",
    "codes": "quantization",
    "compiled": "plan",
    "deviations": "peaks",
    "divided": "vector_norms",
    "echo": "delays",
    "energies": "sections",
    "faintest": "phase_vocoder",
    "first_autocorrelations": "autocorrelation",
    "flange": "delays",
    "in_cells": "quantization",
    "interpolate": "interpolation",
    "interpolate_apart": "interpolation",
    "keep_strongest": "pulses",
    "largest_convolution": "convolution_maxima",
    "long_autocorrelation": "long_transforms",
    "lower_medians": "lags",
    "magphase": "phases",
    "medians_of_columns": "group_statistics",
    "normalized_energies": "channel_energy",
    "norms": "vector_norms",
    "quantize": "levels",
    "reassigned": "reassignment",
    "shift": "levels",
    "softmasks": "masks",
    "spectral_peaks": "peaks",
    "trough_probabilities": "troughs",
    "values_of": "quantization",
    "weighed_harmonics": "interpolation",
    "with_phases": "griffinlim",
}
__all__ = [
    "DIVIDES",
    "NEAR",
    "Bands",
    "Differences",
    "Noise",
    "aggregates",
    "autocorrelations",
    "available",
    "best_lags",
    "burg",
    "busy",
    "clean",
    "codes",
    "compiled",
    "deviations",
    "divided",
    "echo",
    "energies",
    "faintest",
    "first_autocorrelations",
    "flange",
    "get_num_threads",
    "in_cells",
    "interpolate",
    "interpolate_apart",
    "keep_strongest",
    "largest_convolution",
    "load",
    "long_autocorrelation",
    "lower_medians",
    "magphase",
    "medians_of_columns",
    "normalized_energies",
    "norms",
    "prepare",
    "quantize",
    "reassigned",
    "run",
    "serves",
    "set_num_threads",
    "shift",
    "softmasks",
    "spectral_peaks",
    "trough_probabilities",
    "values_of",
    "weighed_harmonics",
    "with_phases",
]


@functools.cache
def available() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def run(
    op: Operator,
    x: npt.NDArray[Any],
    *weights: npt.NDArray[Any],
    out: npt.NDArray[Any] | None = None,
    precise: bool = False,
) -> npt.NDArray[Any]:
    """Compute an operator.

    Args:
        op: What to compute.
        x: Its argument of any strides, in float32 or float64, or complex in the same precisions.
        weights: A window, a bank, frequencies: what the operator says.
        out: Where to put the result; of a spectrogram, or of what is made of one, in any memory order.
        precise: Compute what is in float32 in float64, and round the result once.

    Raises:
        ValueError: a signal too short for its padding or for one frame.
        KeyError: an operator without host kernels.
    """
    function = _runs.get(type(op)) or _find(op)
    result: npt.NDArray[Any] = function(op, x, *weights, out=out, precise=precise)
    return result


def prepare(op: Operator, x: Layout, *weights: Layout) -> Callable[..., None] | None:
    """An operator for arrays that lie as given, made ready for many calls; None where only :func:`run` serves.

    Takes the address of an argument, the weights' values in C order as a tuple of bytes, where to put the result, in C
    order too, and what the memory lives as long as.

    Raises:
        ValueError: a signal too short for its padding or for one frame.
    """
    make = getattr(_module(op.stem), "PREPARE", {}).get(type(op))
    ready: Callable[..., None] | None = make and make(op, x, *weights)
    return ready


_runs: dict[type[Operator], Callable[..., Any]] = {}
_served: dict[type[Operator], bool] = {}


def _find(op: Operator) -> Callable[..., Any]:
    function: Callable[..., Any] = _module(op.stem).RUN[type(op)]
    _runs[type(op)] = function
    return function


def serves(op: Operator) -> bool:
    """Whether there are host kernels for an operator of this kind; not while they are being compiled."""
    kind = type(op)
    known = _served.get(kind)
    if known is None and not busy():
        there = importlib.util.find_spec(f".{op.stem}", __name__) is not None
        known = _served[kind] = there and kind in _module(op.stem).RUN
    return bool(known)


def load() -> bool:
    """Load the compiled code that is kept, and compile nothing; whether any is ready for use.

    Takes a second. Nothing is done, not even to import numba, where no code is kept, or while a thread compiles.
    """
    if not (idle() and caches.host_kernels()):
        return False
    for found in pkgutil.iter_modules(__path__):
        _module(found.name)
    loaded: bool = _module("runtime.compile").load_cache()
    return loaded


def _module(name: str) -> Any:
    with under_way(), uncollected():
        return importlib.import_module(f".{name}", __name__)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        globals()[name] = getattr(_module(_HOME[name]), name)
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
