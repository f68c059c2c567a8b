"""Mel filterbanks and mel spectrograms."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np

from .. import _check
from ..design import banks
from ..design.epilogues import Decibels, Epilogue, Log
from ..ops.numerics import constant
from ..types import CenterPadMode, CenterTailPad, LogMelMode, MelMode, MelNorm, MelOutputScale, MelScale
from ._replay import recorded
from ._shared import Compilable, filterbank, shared_transform, spectrogram

# smallest value that a spectrogram in dB tells apart
DB_AMIN = 1e-10


def melscale_fbanks(
    n_freqs: int,
    f_min: float,
    f_max: float,
    n_mels: int,
    sample_rate: int,
    *,
    norm: MelNorm = None,
    mel_scale: MelScale = "htk",
) -> mx.array:
    """Triangular mel filters, corners evenly spaced in mel.

    Args:
        n_freqs: Bins, evenly spaced from 0 Hz to ``sample_rate // 2``.
        f_min: Lower corner of the first filter in Hz.
        f_max: Upper corner of the last filter in Hz.
        n_mels: Filters.
        sample_rate: Hz.
        norm: ``"slaney"`` gives each filter unit area in Hz; None a peak of 1.
        mel_scale: ``"htk"``, O'Shaughnessy's formula, or ``"slaney"``, that of the Auditory Toolbox.

    Returns:
        float32 ``[n_freqs, n_mels]``.

    Raises:
        ValueError: a count below 1, frequencies out of order, an unknown option.

    Example:
        >>> import mlx_spectro
        >>> mlx_spectro.melscale_fbanks(257, 0.0, 8000.0, 40, 16000).shape
        (257, 40)
    """
    _check.integer("n_freqs", n_freqs, at_least=1)
    return _shared_bank(n_freqs, f_min, f_max, n_mels, sample_rate, norm, mel_scale)


@_check.remembered(32)
def _shared_bank(
    n_freqs: int, f_min: float, f_max: float, n_mels: int, sample_rate: int, norm: MelNorm, mel_scale: MelScale
) -> mx.array:
    for name, value in {"f_min": f_min, "f_max": f_max, "sample_rate": sample_rate}.items():
        _check.number(name, value)
    bin_hz = np.linspace(0.0, sample_rate // 2, n_freqs)
    return constant(banks.mel_bank(bin_hz, f_min, f_max, n_mels, norm, mel_scale))


@functools.lru_cache(maxsize=64)
def epilogue_of(scale: str, power: float, log_amin: float, log_mode: LogMelMode) -> Epilogue | None:
    """What is taken of filtered magnitudes to ``power`` for a scale; for a linear one, nothing."""
    if scale == "log":
        return Log(log_amin, log_mode == "add")
    return Decibels(20.0 / power, DB_AMIN) if scale == "db" else None


class MelSpectrogramTransform(Compilable):
    """Mel spectrogram of audio, linear, logarithmic or in dB.

    Args:
        sample_rate: Hz.
        n_fft: Frame length in samples.
        hop_length: Samples between frame starts.
        win_length: Window length in samples. Default: ``n_fft``.
        n_mels: Filters.
        f_min: Lower corner of the first filter in Hz.
        f_max: Upper corner of the last filter in Hz. Default: half the sample rate.
        power: Exponent of the magnitudes before filtering: 1 for magnitude, 2 for power.
        norm: ``"slaney"`` gives each filter unit area in Hz.
        mel_scale: ``"htk"`` or ``"slaney"``.
        top_db: Range below the maximum, in dB, that dB output keeps; None keeps all.
        output_scale: ``"linear"``, ``"log"`` (natural) or ``"db"`` (``20 / power`` times the decimal logarithm).
        log_amin: Smallest value that a logarithm tells apart.
        log_mode: ``"clamp"`` takes the logarithm of ``max(mel, log_amin)``, ``"add"`` of ``mel + log_amin``.
        mode: Which values share the maximum that ``top_db`` counts from: ``"mlx_native"`` (alias ``"default"``) each
            example's own, ``"torchaudio_compat"`` all of the last three axes.
        window_fn, periodic, center, center_pad_mode, center_tail_pad, normalized: As in :class:`SpectralTransform`.

    Raises:
        ValueError: a value out of its range, or an unknown option.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> audio = mx.zeros((2, 16000))  # one second of two signals
        >>> mel = mlx_spectro.MelSpectrogramTransform(sample_rate=16000, n_fft=512, hop_length=128, n_mels=40)
        >>> mel(audio).shape
        (2, 40, 126)
    """

    def __init__(
        self,
        *,
        sample_rate: int = 24000,
        n_fft: int = 2048,
        hop_length: int = 240,
        win_length: int | None = None,
        n_mels: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
        power: float = 2.0,
        norm: MelNorm = None,
        mel_scale: MelScale = "htk",
        top_db: float | None = 80.0,
        output_scale: MelOutputScale = "db",
        log_amin: float = 1e-5,
        log_mode: LogMelMode = "clamp",
        mode: MelMode = "mlx_native",
        window_fn: str = "hann",
        periodic: bool = True,
        center: bool = True,
        center_pad_mode: CenterPadMode = "reflect",
        center_tail_pad: CenterTailPad = "symmetric",
        normalized: bool = False,
    ) -> None:
        self.sample_rate = sample_rate = _check.integer("sample_rate", sample_rate, at_least=1)
        self.power = _check.number("power", power, above=0)
        self.log_amin = _check.number("log_amin", log_amin, above=0)
        self.top_db = _check.number_or_none("top_db", top_db, at_least=0)
        self.output_scale = _check.one_of("output_scale", output_scale, MelOutputScale)
        self.log_mode = _check.one_of("log_mode", log_mode, LogMelMode)
        mode = _check.one_of("mode", mode, MelMode)
        self.mode: MelMode = "mlx_native" if mode == "default" else mode
        self.spectral = shared_transform(
            n_fft,
            hop_length,
            win_length,
            window_fn,
            center,
            center_pad_mode,
            center_tail_pad,
            periodic=periodic,
            normalized=normalized,
        )
        f_max = sample_rate / 2 if f_max is None else f_max
        self.mel_fb = melscale_fbanks(
            self.spectral.bins, f_min, f_max, n_mels, sample_rate, norm=norm, mel_scale=mel_scale
        )
        self._keep(locals())

    @recorded()
    def spectrogram(self, x: mx.array) -> mx.array:
        """Spectrogram ``[..., F, N]`` of audio ``[..., T]``, to the transform's power; ``[T]`` is a batch of one."""
        return mx.swapaxes(spectrogram(self.spectral, x, self.power), -1, -2)

    @recorded()
    def mel_spectrogram(
        self, x: mx.array, *, output_scale: MelOutputScale | None = None, to_db: bool | None = None
    ) -> mx.array:
        """Mel spectrogram.

        Args:
            x: Audio ``[..., T]`` of any length: zeros extend what ``center_pad_mode`` cannot, and fill it to one frame.
                ``[T]`` counts as a batch of one.
            output_scale: Another scale than the transform's.
            to_db: True stands for ``output_scale="db"``, False for ``"linear"``.

        Returns:
            float32 ``[..., n_mels, N]``.

        Raises:
            ValueError: an unknown scale, or both ``output_scale`` and a ``to_db`` that contradicts it.
        """
        scale = self._scale(output_scale, to_db)
        epilogue = epilogue_of(scale, self.power, self.log_amin, self.log_mode)
        top_db, packed = self.top_db if scale == "db" else None, self.mode == "torchaudio_compat"
        mel = filterbank(self.spectral, x, self.mel_fb, self.power, epilogue=epilogue, top_db=top_db, packed=packed)
        return mx.swapaxes(mel, -1, -2)

    def __call__(
        self, x: mx.array, *, output_scale: MelOutputScale | None = None, to_db: bool | None = None
    ) -> mx.array:
        """:meth:`mel_spectrogram`."""
        return self.mel_spectrogram(x, output_scale=output_scale, to_db=to_db)

    def get_compiled(
        self, *, output_scale: MelOutputScale | None = None, to_db: bool | None = None
    ) -> Callable[[mx.array], Any]:
        """:meth:`mel_spectrogram` for fixed shapes with the least overhead."""
        scale = self._scale(output_scale, to_db)
        return self.compiled_once(scale, lambda x: self.mel_spectrogram(x, output_scale=scale))

    def _scale(self, output_scale: MelOutputScale | None, to_db: bool | None) -> MelOutputScale:
        named: MelOutputScale | None = None if to_db is None else ("db" if to_db else "linear")
        if output_scale is not None and named is not None and output_scale != named:
            raise ValueError(f"to_db={to_db} means output_scale={named!r}, got {output_scale!r}")
        return _check.one_of("output_scale", output_scale or named or self.output_scale, MelOutputScale)


class LogMelSpectrogramTransform(MelSpectrogramTransform):
    """Natural-log mel spectrogram: :class:`MelSpectrogramTransform` with ``output_scale="log"``."""

    fixed = ("output_scale",)

    def __init__(self, *, log_amin: float = 1e-5, log_mode: LogMelMode = "clamp", **kwargs: Any) -> None:
        if "output_scale" in kwargs:
            raise TypeError("LogMelSpectrogramTransform has no output_scale; use MelSpectrogramTransform")
        super().__init__(log_amin=log_amin, log_mode=log_mode, output_scale="log", **kwargs)
