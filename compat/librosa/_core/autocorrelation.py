"""autocorrelate of librosa."""

from __future__ import annotations

import numpy as np
import scipy.fft

from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_number, check_whole
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import BySize
from .._adapter import adapter
from .._arguments import LARGEST, Array, audio_energy, check_array, check_engine

# of more lags, a few long transforms take less time than many short ones
_MOST_LAGS = 4096
# samples of a signal, and signals; of many, SciPy transforms some at once
_LEAST, _MOST = 60_000, 2


@adapter(
    "librosa.autocorrelate",
    tolerances.energy,
    also="librosa.core",
    order=lambda given: 2 * int(given["y"].shape[given["axis"]]),
)
def autocorrelate(y: Array, *, max_size: int | None = None, axis: int = -1) -> Work:
    """librosa.autocorrelate. Same arguments, same defaults.

    Under ``route("auto")`` where samples are many and signals are few.
    """
    check_engine()
    check_whole("axis", axis, -32, 32)
    check_array(y)
    if not -y.ndim <= axis < y.ndim:
        raise Decline("the audio has no such axis")
    samples = y.shape[axis]
    if settings.route.get() == "auto" and (samples < _LEAST or y.size > _MOST * samples):
        raise Decline(BySize("librosa is as fast on few samples, and on many signals; route('ours') has us serve them"))
    if max_size is not None:
        check_number("max_size", max_size, 1)
    lags = int(samples if max_size is None else min(max_size, samples))
    if not audio_energy(y) < LARGEST[y.dtype.char]:
        raise Decline("the audio is so loud that its energy may overflow")

    def work() -> Array:
        shape, whole = list(y.shape), scipy.fft.next_fast_len(2 * samples - 1, True)
        # of which librosa's result is the beginning
        shape[axis] = whole
        values = np.empty(shape, y.dtype).swapaxes(axis, -1)[..., :lags]
        rows = y.swapaxes(axis, -1)
        if lags <= _MOST_LAGS:
            values[...] = cpu.first_autocorrelations(rows.reshape(-1, samples), lags).reshape(values.shape)
        else:
            for i in np.ndindex(rows.shape[:-1]):
                values[i] = cpu.long_autocorrelation(rows[i], whole, scipy.fft)[:lags]
        return values.swapaxes(axis, -1)

    return work
