"""resample of librosa."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import librosa
import numpy as np

from mlx_spectro.design import polyphase
from mlx_spectro.design.operators import Resample
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_choice, check_flag, check_number, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import BySize
from .._adapter import adapter
from .._arguments import Array, audio_energy, check_engine

_fix_length = librosa.util.fix_length
# what SciPy's filter reaches, in samples of the lower rate
_REACH = 10
_MOST_WEIGHTS = 1 << 24
# of the whole time, as measured for 1 s to a minute of audio
_BY_TRANSFORMS = "SciPy's transforms of the whole signal, which are compiled, are 79 to 96 % of it"
_BY_OTHERS = {
    "soxr": "SoXR resamples, which is compiled",
    "fft": _BY_TRANSFORMS,
    "scipy": _BY_TRANSFORMS,
}


class _Rates(NamedTuple):
    """Two sampling rates without their common divisor."""

    orig: int
    new: int

    @property
    def half(self) -> int:
        """Half of SciPy's filter, but for its centre."""
        return _REACH * max(self)

    @property
    def reach(self) -> int:
        """Samples before and after a result that it is made of."""
        return self.half // self.new + 1


def _rates(orig_sr: Any, target_sr: Any) -> _Rates:
    for name, rate in (("orig_sr", orig_sr), ("target_sr", target_sr)):
        check_number(name, rate, 1)
        if rate != int(rate):
            raise Decline(f"{name} is not whole")
    orig, new = int(orig_sr), int(target_sr)
    divisor = math.gcd(orig, new)
    return _Rates(orig // divisor, new // divisor)


def taps(arguments: dict[str, Any]) -> int:
    """Samples that a result is a sum of."""
    return 2 * _rates(arguments["orig_sr"], arguments["target_sr"]).reach + 1


@functools.lru_cache(maxsize=16)
def _weights(rates: _Rates, kind: np.dtype[Any]) -> Array:
    """SciPy's own filter, which it designs at each call."""
    import scipy.signal

    response = scipy.signal.firwin(2 * rates.half + 1, 1.0 / max(rates), window=("kaiser", 5.0)).astype(kind)
    response *= rates.new
    return polyphase.phases(response, *rates)


@adapter("librosa.resample", tolerances.sums, also="librosa.core", order=taps)
def resample(
    y: Array,
    *,
    orig_sr: float,
    target_sr: float,
    res_type: str = "soxr_hq",
    fix: bool = True,
    scale: bool = False,
    axis: int = -1,
    **kwargs: Any,
) -> Work:
    """librosa.resample. Same arguments, same defaults.

    Ours for ``res_type="polyphase"``, by SciPy's filter.
    """
    check_engine()
    if type(res_type) is str and (by := _BY_OTHERS.get(res_type.partition("_")[0])):
        raise Decline(BySize(by))
    check_choice("res_type", res_type, "polyphase")
    rates = _rates(orig_sr, target_sr)
    if rates.orig == rates.new:
        raise Decline(BySize("the rates are equal: the audio is returned as it is"))
    if rates.new * (2 * rates.reach + 1) > _MOST_WEIGHTS:
        raise Decline("the rates have so small a common divisor that their filter is too large to keep")
    if kwargs:
        raise Decline("options of padding are given")
    check_flag("fix", fix)
    check_flag("scale", scale)
    audio_energy(y)
    check_whole("axis", axis, -y.ndim, y.ndim - 1)
    axis, length = int(axis) % y.ndim, y.shape[axis]
    ratio = float(target_sr) / orig_sr

    def work() -> Array:
        signal = np.moveaxis(np.asarray(y), axis, -1)
        values = cpu.run(Resample(*rates, rates.reach), signal, _weights(rates, y.dtype))
        results = _laid_out(np.moveaxis(values, -1, axis), axis, rates, length)
        if fix:
            results = _fix_length(results, size=math.ceil(length * ratio), axis=axis)
        if scale:
            results /= np.sqrt(ratio)
        return results

    return work


def _laid_out(values: Array, axis: int, rates: _Rates, length: int) -> Array:
    """As many of ``values`` as SciPy returns, where it does: within what its filter has made before and after them."""
    orig, new = rates
    count, before = -(-length * new // orig), orig - rates.half % orig
    ahead = (rates.half + before) // orig
    wanted = tuple(slice(count) if other == axis else slice(None) for other in range(values.ndim))
    if values.ndim == 1:
        return values[wanted]
    taps = max(2 * rates.half + 1 + before, (count + ahead - 1) * orig - (length - 1) * new + 1)
    made = ((length - 1) * new + taps - 1) // orig + 1
    whole = np.empty((*values.shape[:axis], made, *values.shape[axis + 1 :]), values.dtype)
    results = whole[tuple(slice(ahead, ahead + count) if other == axis else slice(None) for other in range(whole.ndim))]
    results[...] = values[wanted]
    return results
