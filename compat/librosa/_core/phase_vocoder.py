"""phase_vocoder of librosa."""

from __future__ import annotations

import inspect
import math
from typing import Any, NamedTuple

import librosa
import numpy as np

from mlx_spectro.design.operators import PhaseVocoder
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_choice, check_number, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._arguments import Array, check_array, check_engine, energy
from .._layout import lying, memory

_phase_vocoder = librosa.phase_vocoder
_DEFAULTS = {name: one.default for name, one in inspect.signature(_phase_vocoder).parameters.items()}
# from librosa 1.0 on, times may be given, and it interpolates otherwise: https://github.com/librosa/librosa/pull/2008
OF_TIMES = "t_out" in _DEFAULTS


class Steps(NamedTuple):
    """What a :class:`PhaseVocoder` takes beside a spectrum."""

    frames: Array
    fractions: Array

    def run(self, z: Array, out: Array | None = None) -> Array:
        """The spectrum ``[..., M, F]`` of ``z [..., N, F]``."""
        return cpu.run(PhaseVocoder(), z, self.frames, self.fractions, out=out)


def steps(times: Array, count: int) -> Steps:
    """Where librosa looks for ``times``, counted in frames, among ``count`` frames."""
    here = np.floor(times).astype(np.int64)
    if not OF_TIMES:
        return Steps(np.stack([here, here + 1] * 2), times - here)
    # the last two frames are extrapolated, and where no frame follows, phases stand still
    low = np.minimum(here, count - 2)
    return Steps(np.stack([here, np.minimum(here + 1, count - 1), low, low + 1]), times - low)


def check_rate_of(rate: Any) -> None:
    """Take how many times faster a signal is to be."""
    check_number("rate", rate, 1e-3)


def times_at(rate: float, count: int) -> Array:
    """The times of a stretched spectrum's frames, in frames, of which there are ``count``."""
    if OF_TIMES and count < 2:
        raise Decline("there is a single frame")
    return np.arange(0, count, rate, dtype=np.float64)


def _given_times(times: Any, count: int) -> Array:
    if type(times) is not np.ndarray or times.dtype.char not in "fd" or times.ndim != 1 or not times.size:
        raise Decline("t_out is no array of floating-point numbers")
    if count < 2:
        raise Decline("there is a single frame")
    values: Array = times.astype(np.float64)
    if not (values[0] >= 0 and values[-1] < count and (np.diff(values) >= 0).all()):
        raise Decline("t_out does not rise from 0 on, or rises beyond the last frame")
    return values


def order(arguments: dict[str, Any]) -> int:
    """Samples that a spectrum spans, times how many frames it has: what :func:`tolerances.phases` depends on."""
    z: Array = arguments["D"]
    frames = z.shape[-1] / max(min(float(arguments["rate"] or 1), 1.0), 1e-3)
    # phases of librosa 0.11 advance by a given hop, whatever the bins are of
    hop_length = 0 if OF_TIMES else int(arguments["hop_length"] or 0)
    samples: float = frames * z.shape[-1] * max(2 * z.shape[-2], hop_length)
    return math.ceil(samples)


def _stretched(z: Array) -> Array:
    result: Array = _phase_vocoder(z, rate=2.0)
    return result


@adapter("librosa.phase_vocoder", tolerances.phases, also="librosa.core", order=order)
def phase_vocoder(
    D: Array,
    *,
    rate: float = _DEFAULTS["rate"],
    t_out: Any = None,
    kind: str = "linear",
    hop_length: Any = _DEFAULTS["hop_length"],
    n_fft: Any = _DEFAULTS["n_fft"],
) -> Work:
    """librosa.phase_vocoder. Same arguments, same defaults.

    Without angles, by products of directions, so that phases are not rounded as their sums are.
    """
    check_engine()
    check_array(D)
    if D.dtype.kind != "c" or D.ndim < 2 or D.shape[-2] < 2:
        raise Decline("the spectrum is not complex, or has fewer than two bins or axes")
    _check_framing(hop_length, n_fft, D.shape[-2])
    check_choice("kind", kind, "linear")
    if t_out is None:
        check_rate_of(rate)
        times = times_at(rate, D.shape[-1])
    else:
        if rate is not None:
            raise Decline("rate and t_out are given")
        times = _given_times(t_out, D.shape[-1])
    if not math.isfinite(energy(D)):
        raise Decline("the spectrum holds values that are not finite, or whose squares overflow")

    def work() -> Array:
        z = memory(_stretched, lying(D), D.dtype, (*D.shape[:-1], times.size), D.dtype)
        steps(times, D.shape[-1]).run(D.swapaxes(-1, -2), z.swapaxes(-1, -2))
        # librosa 0.11 writes to what NumPy makes like its argument
        return z.view(np.memmap) if type(D) is np.memmap and not OF_TIMES else z

    return work


def _check_framing(hop_length: Any, n_fft: Any, bins: int) -> None:
    """Take a framing, of which the result does not depend."""
    if OF_TIMES:
        if hop_length is not _DEFAULTS["hop_length"] or n_fft is not _DEFAULTS["n_fft"]:
            raise Decline("hop_length and n_fft are deprecated, of which librosa warns: leave them out")
        return
    if hop_length is not None:
        check_whole("hop_length", hop_length)
    if n_fft is not None:
        check_whole("n_fft", n_fft, 2)
        if n_fft // 2 + 1 != bins:
            raise Decline("n_fft is not what the spectrum's bins are of")
