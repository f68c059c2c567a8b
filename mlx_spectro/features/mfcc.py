"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import mlx.core as mx
import numpy as np

from .. import _check
from ..design import banks
from ..design.epilogues import Decibels
from ..ops.numerics import constant
from ..types import CenterPadMode, CenterTailPad, MelNorm, MelScale
from ._replay import recorded
from ._shared import Compilable, cepstrum, like_input
from .mel import DB_AMIN, MelSpectrogramTransform


def dct_matrix(n_mfcc: int, n_mels: int, *, norm: Literal["ortho"] | None = "ortho") -> mx.array:
    """DCT-II basis, float32 ``[n_mfcc, n_mels]``: row ``k`` is ``2 cos(pi k (2 n + 1) / (2 n_mels))``.

    Args:
        n_mfcc: Coefficients.
        n_mels: Values transformed.
        norm: ``"ortho"`` makes the rows orthonormal.

    Raises:
        ValueError: a count below 1, or an unknown norm.
    """
    return _shared_basis(n_mfcc, n_mels, norm)


@_check.remembered(32)
def _shared_basis(n_mfcc: int, n_mels: int, norm: str | None) -> mx.array:
    return constant(banks.dct_basis(n_mfcc, n_mels, norm))


@_check.remembered(32)
def liftered_basis(n_mfcc: int, n_mels: int, norm: str | None, lifter: int) -> mx.array:
    """DCT basis ``[n_mels, n_mfcc]`` with coefficient ``k`` scaled by ``1 + lifter / 2 * sin(pi (k + 1) / lifter)``."""
    _check.integer("lifter", lifter, at_least=0)
    _check.one_of("dct_norm", norm, (None, "ortho"))
    n_mels = _check.integer("n_mels", n_mels, at_least=1)
    if _check.integer("n_mfcc", n_mfcc, at_least=1) > n_mels:
        raise ValueError(f"n_mfcc must be at most n_mels={n_mels}, got {n_mfcc}")
    basis = banks.dct_basis(n_mfcc, n_mels, norm).T
    if lifter:
        basis = basis * (1 + lifter / 2 * np.sin(np.pi * np.arange(1, n_mfcc + 1) / lifter))
    return constant(basis)


class MFCCTransform(Compilable):
    """Mel-frequency cepstral coefficients: the DCT of a mel spectrogram in dB (Davis and Mermelstein, 1980).

    Args:
        sample_rate: Hz.
        n_mfcc: Coefficients, at most ``n_mels``.
        n_fft: Frame length in samples.
        hop_length: Samples between frame starts.
        win_length: Window length in samples. Default: ``n_fft``.
        n_mels, f_min, f_max, norm, mel_scale, top_db: As in :class:`MelSpectrogramTransform`.
        window_fn, center, center_pad_mode, center_tail_pad: As in :class:`SpectralTransform`.
        lifter: Coefficient ``k`` is scaled by ``1 + lifter / 2 * sin(pi (k + 1) / lifter)``; 0 for none.
        dct_norm: ``"ortho"`` for an orthonormal DCT.

    Raises:
        ValueError: a value out of its range, or an unknown option.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 22050,
        n_mfcc: int = 20,
        n_fft: int = 2048,
        hop_length: int = 512,
        win_length: int | None = None,
        n_mels: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
        norm: MelNorm = "slaney",
        mel_scale: MelScale = "slaney",
        top_db: float | None = 80.0,
        window_fn: str = "hann",
        center: bool = True,
        center_pad_mode: CenterPadMode = "reflect",
        center_tail_pad: CenterTailPad = "symmetric",
        lifter: int = 0,
        dct_norm: Literal["ortho"] | None = "ortho",
    ) -> None:
        self.mel = MelSpectrogramTransform(
            sample_rate=sample_rate,
            n_fft=n_fft,
            hop_length=hop_length,
            win_length=win_length,
            n_mels=n_mels,
            f_min=f_min,
            f_max=f_max,
            norm=norm,
            mel_scale=mel_scale,
            top_db=top_db,
            window_fn=window_fn,
            center=center,
            center_pad_mode=center_pad_mode,
            center_tail_pad=center_tail_pad,
        )
        self.dct_mat = liftered_basis(n_mfcc, n_mels, dct_norm, lifter)
        self._keep(locals())

    @recorded()
    def mfcc(self, x: mx.array) -> mx.array:
        """Coefficients ``[..., n_mfcc, N]`` of audio ``[..., T]``; ``[n_mfcc, N]`` of ``[T]``."""
        mel, epilogue = self.mel, Decibels(10.0, DB_AMIN)
        coefficients = cepstrum(mel.spectral, x, mel.mel_fb, self.dct_mat, 2.0, epilogue=epilogue, top_db=mel.top_db)
        return like_input(x, mx.swapaxes(coefficients, -1, -2))

    def __call__(self, x: mx.array) -> mx.array:
        """:meth:`mfcc`."""
        return self.mfcc(x)

    def get_compiled(self) -> Callable[[mx.array], Any]:
        """:meth:`mfcc` for fixed shapes with the least overhead."""
        return self.compiled_once("mfcc", self.mfcc)


@recorded()
def mfcc(
    x: mx.array,
    *,
    sample_rate: int = 22050,
    n_mfcc: int = 20,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float | None = None,
    norm: MelNorm = "slaney",
    mel_scale: MelScale = "slaney",
    top_db: float | None = 80.0,
    window_fn: str = "hann",
    center: bool = True,
    center_pad_mode: CenterPadMode = "reflect",
    center_tail_pad: CenterTailPad = "symmetric",
    lifter: int = 0,
    dct_norm: Literal["ortho"] | None = "ortho",
) -> mx.array:
    """Mel-frequency cepstral coefficients ``[..., n_mfcc, N]`` of audio ``[..., T]``; see :class:`MFCCTransform`.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> audio = mx.zeros((2, 16000))  # one second of two signals
        >>> mlx_spectro.mfcc(audio, sample_rate=16000, n_mfcc=13, n_fft=512, hop_length=128).shape
        (2, 13, 126)
    """
    parameters = {name: value for name, value in locals().items() if name != "x"}
    return MFCCTransform(**parameters).mfcc(x)
