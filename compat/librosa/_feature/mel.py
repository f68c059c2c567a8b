"""melspectrogram and mfcc of librosa.feature."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np

from mlx_spectro.design import banks
from mlx_spectro.design.epilogues import Epilogue
from mlx_spectro.design.operators import Filterbank, Project, ProjectPower
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_choice, check_number, check_plain, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._analysis import Analysis, lying_of, source_of
from .._arguments import Array, check_array, check_engine
from .._core.decibels import DECIBEL, clipped
from .._filters import check_mel, mel_filters
from .._layout import memory

_melspectrogram = librosa.feature.melspectrogram


class Filtered:
    """A power spectrogram, of audio or given, and the filters over it.

    Args:
        filters: How many there are.
        bank: Makes the filters ``[F, filters]``; librosa may warn of them.
        like: What lies in memory as librosa's own spectrogram does, if not ``source``.
    """

    def __init__(
        self,
        source: Analysis | Array,
        filters: int,
        bank: Callable[[], Array],
        power: float,
        like: Analysis | Array | None = None,
    ) -> None:
        self.source, self.bank, self.power = source, bank, power
        self.lying = lying_of(source if like is None else like)
        if isinstance(source, Analysis):
            self.shape = (*source.y.shape[:-1], source.frames, filters)
            self.dtype = source.y.dtype
        else:
            self.shape = (*source.shape[:-2], source.shape[-1], filters)
            self.dtype = source.dtype

    def fill(self, out: Array, epilogue: Epilogue | None = None) -> Array:
        """Filtered values ``[..., N, filters]``, in double precision inside, to ``out``."""
        if isinstance(self.source, Analysis):
            op = Filterbank(self.source.framing, self.power, epilogue=epilogue)
            return self.source.run(op, self.bank(), out=out)
        values = self.source.swapaxes(-1, -2)
        precise = self.dtype == np.float32
        return cpu.run(ProjectPower(1, epilogue), values, self.bank(), precise=precise, out=out)

    def filtered(self, of_spectrogram: Callable[[Array], Array], epilogue: Epilogue | None = None) -> Array:
        """Filtered values ``[..., filters, N]``, in the memory order that librosa's ``of_spectrogram`` gives them."""
        *lead, frames, filters = self.shape
        out = memory(of_spectrogram, *self.lying, (*lead, filters, frames), self.dtype)
        self.fill(out.swapaxes(-1, -2), epilogue)
        return out

    def decibels(self) -> Array:
        """Mel values ``[..., filters, N]`` as power_to_db makes them, at most 80 dB below their maximum."""
        return clipped(self.filtered(mel_of(self.shape[-1]), DECIBEL), 80.0)


@functools.cache
def _some_mel_of(filters: int) -> Callable[[Array], Array]:
    def of_spectrogram(spectrogram: Array) -> Array:
        # of so few mels, none is empty
        result: Array = _melspectrogram(S=spectrogram, sr=1000, n_mels=filters)
        return result

    return of_spectrogram


def mel_of(filters: int) -> Callable[[Array], Array]:
    """librosa's mel spectrogram of a small spectrogram, of one filter or of more."""
    return _some_mel_of(min(filters, 2))


def mel_plan(
    y: Any,
    sr: Any,
    S: Any = None,
    n_fft: Any = 2048,
    hop_length: Any = 512,
    win_length: Any = None,
    window: Any = "hann",
    center: Any = True,
    pad_mode: Any = "constant",
    power: Any = 2.0,
    **kwargs: Any,
) -> Filtered:
    """The mel spectrogram that librosa's arguments ask for."""
    check_mel(sr, **kwargs)
    # of a spectrogram given, librosa does not look at the power
    if S is None:
        check_plain("power", power, 1e-3, 4)
    source, length = source_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    if isinstance(source, Analysis) and source.overflows(power):
        raise Decline("the audio is so loud that its powers may overflow")
    bank = functools.partial(mel_filters, sr, length, **kwargs)
    return Filtered(source, int(kwargs.get("n_mels", 128)), bank, float(power) if S is None else 2.0)


@adapter("librosa.feature.melspectrogram", tolerances.energy)
def melspectrogram(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
    power: float = 2.0,
    **kwargs: Any,
) -> Work:
    """librosa.feature.melspectrogram. Same arguments, same defaults.

    The filters are librosa's own, to the bit.
    """
    mel = mel_plan(y, sr, S, n_fft, hop_length, win_length, window, center, pad_mode, power, **kwargs)
    return lambda: mel.filtered(mel_of(mel.shape[-1]))


@functools.lru_cache(maxsize=32)
def _dct(n_mfcc: int, n_mels: int, norm: str | None, lifter: float) -> Array:
    """DCT-II, and the liftering of its results, ``[n_mels, n_mfcc]``."""
    basis = banks.dct_basis(n_mfcc, n_mels, norm).T
    if lifter > 0:
        # a sinusoidal lifter, as librosa applies it
        basis = basis * (1 + (lifter / 2) * np.sin(np.pi * np.arange(1, 1 + n_mfcc) / lifter))
    return np.ascontiguousarray(basis)


@adapter("librosa.feature.mfcc", tolerances.cepstrum)
def mfcc(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    n_mfcc: int = 20,
    dct_type: int = 2,
    norm: Any = "ortho",
    lifter: float = 0,
    mel_norm: Any = "slaney",
    **kwargs: Any,
) -> Work:
    """librosa.feature.mfcc. Same arguments, same defaults.

    Ours for ``dct_type=2``; of given decibels ``S``, the cosines alone.
    """
    check_whole("n_mfcc", n_mfcc)
    check_number("lifter", lifter, 0, 1e6)
    if not (type(dct_type) is int and dct_type == 2):
        raise Decline("dct_type is not 2")
    check_choice("norm", norm, "ortho", None)
    source = _decibels_of(y, sr, S, mel_norm, kwargs)
    mels = source.shape[-1] if isinstance(source, Filtered) else source.shape[-2]
    if lifter > 0 and n_mfcc > mels:
        raise Decline("n_mfcc is more than n_mels, and lifter is given")
    basis = _dct(min(int(n_mfcc), mels), mels, norm, float(lifter))

    def work() -> Array:
        values = (source.decibels() if isinstance(source, Filtered) else source).swapaxes(-1, -2)
        # what librosa returns is the beginning of as many coefficients as there are mels
        *lead, frames, mels = values.shape
        cepstra = np.empty((*lead, mels, frames), values.dtype)[..., : basis.shape[1], :]
        cpu.run(Project(), values, basis, precise=values.dtype == np.float32, out=cepstra.swapaxes(-1, -2))
        return cepstra

    return work


def _decibels_of(y: Any, sr: Any, S: Any, mel_norm: Any, options: dict[str, Any]) -> Filtered | Array:
    """The decibels that cepstra are made of: given, or of the mel spectrogram of ``y``."""
    if S is None:
        if "norm" in options:
            raise Decline("norm is given twice")
        return mel_plan(y, sr, norm=mel_norm, **options)
    # what is for a mel spectrogram, librosa does not look at
    check_engine()
    check_array(S)
    if S.dtype.kind != "f" or S.ndim < 2:
        raise Decline("S is no real array of two axes or more")
    decibels: Array = S
    return decibels
