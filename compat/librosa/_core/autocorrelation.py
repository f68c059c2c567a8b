"""autocorrelate of librosa."""

from __future__ import annotations

import numpy as np
import scipy.fft

from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_number, check_whole
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import ByDesign
from .._adapter import adapter
from .._arguments import LARGEST, Array, audio_energy, check_engine

# more lags are a few long transforms, which SciPy computes as fast, and so are those of few samples
_MOST_LAGS = 4096
_LEAST = 60_000


@adapter(
    "librosa.autocorrelate",
    tolerances.energy,
    also="librosa.core",
    order=lambda given: 2 * int(given["y"].shape[given["axis"]]),
)
def autocorrelate(y: Array, *, max_size: int | None = None, axis: int = -1) -> Work:
    """librosa.autocorrelate. Same arguments, same defaults.

    Ours of up to 4096 lags, and under ``route("auto")`` where samples are many.
    """
    check_engine()
    check_whole("axis", axis, -32, 32)
    total = audio_energy(y)
    if not -y.ndim <= axis < y.ndim:
        raise Decline("the audio has no such axis")
    samples = y.shape[axis]
    if max_size is not None:
        check_number("max_size", max_size, 1)
    lags = int(samples if max_size is None else min(max_size, samples))
    if lags > _MOST_LAGS:
        raise Decline(ByDesign("so many lags are a long transform or two, which SciPy computes as fast"))
    if samples < _LEAST and settings.route.get() == "auto":
        raise Decline(ByDesign("librosa is as fast on so few samples; route('ours') has us serve them"))
    if not total < LARGEST[y.dtype.char]:
        raise Decline("the audio is so loud that its energy may overflow")

    def work() -> Array:
        shape = list(y.shape)
        # of which librosa's result is the beginning
        shape[axis] = scipy.fft.next_fast_len(2 * samples - 1, True)
        values = np.empty(shape, y.dtype).swapaxes(axis, -1)[..., :lags]
        rows = y.swapaxes(axis, -1)
        values[...] = cpu.first_autocorrelations(rows.reshape(-1, samples), lags).reshape(values.shape)
        return values.swapaxes(axis, -1)

    return work
