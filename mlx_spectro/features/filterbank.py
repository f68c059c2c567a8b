"""Spectrograms through a filterbank of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .. import _check
from ..ops.numerics import constant
from ..types import CenterPadMode, CenterTailPad, FilteredOutputScale, LogMelMode
from . import _inputs
from ._replay import recorded
from ._shared import Compilable, filterbank, like_input, shared_transform
from .mel import epilogue_of


class FilteredSpectrogramTransform(Compilable):
    """Spectrogram projected by a filterbank of the caller's: linear, log, dB or ``log10(1 + x)``.

    Args:
        filterbank: Filters ``[n_fft // 2 + 1, n_filters]``, or without the last bin ``[n_fft // 2, n_filters]``.
        n_fft: Frame length in samples.
        hop_length: Samples between frame starts. Default: ``n_fft // 4``.
        power: Exponent of the magnitudes before filtering.
        output_scale: ``"linear"``, ``"log"`` (natural), ``"db"`` (``20 / power`` times the decimal logarithm) or
            ``"log10_plus_one"`` (``log10(1 + x)``).
        log_amin, log_mode, top_db: As in :class:`MelSpectrogramTransform`, ``top_db`` for each example.
        win_length, window_fn, periodic, center, center_pad_mode, center_tail_pad, normalized: As in
            :class:`SpectralTransform`.

    Raises:
        ValueError: a filterbank of another shape, a value out of its range, or an unknown option.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> audio = mx.zeros((2, 16000))  # one second of two signals
        >>> halves = mx.stack([mx.arange(257) < 128, mx.arange(257) >= 128], axis=1).astype(mx.float32)
        >>> transform = mlx_spectro.FilteredSpectrogramTransform(filterbank=halves, n_fft=512, hop_length=128)
        >>> transform(audio).shape
        (2, 2, 126)
    """

    def __init__(
        self,
        *,
        filterbank: mx.array | npt.ArrayLike,
        n_fft: int,
        hop_length: int | None = None,
        win_length: int | None = None,
        power: float = 1.0,
        output_scale: FilteredOutputScale = "linear",
        log_amin: float = 1e-5,
        log_mode: LogMelMode = "clamp",
        top_db: float | None = None,
        window_fn: str = "hann",
        periodic: bool = True,
        center: bool = True,
        center_pad_mode: CenterPadMode = "reflect",
        center_tail_pad: CenterTailPad = "symmetric",
        normalized: bool = False,
    ) -> None:
        self.power = _check.number("power", power, above=0)
        self.log_amin = _check.number("log_amin", log_amin, above=0)
        self.top_db = _check.number_or_none("top_db", top_db, at_least=0)
        self.output_scale = _check.one_of("output_scale", output_scale, FilteredOutputScale)
        self.log_mode = _check.one_of("log_mode", log_mode, LogMelMode)
        n_fft = _check.integer("n_fft", n_fft, at_least=1)
        hop_length = n_fft // 4 if hop_length is None else hop_length
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
        bank = _inputs.samples("filterbank", filterbank)
        bins = self.spectral.bins
        if bank.ndim != 2 or bank.shape[0] not in (bins, bins - 1) or not bank.shape[1]:
            raise ValueError(
                f"filterbank axis 0 must have size {bins} or {bins - 1}, got shape {bank.shape} for n_fft={n_fft}"
            )
        self.filterbank = constant(np.pad(bank, ((0, bins - bank.shape[0]), (0, 0))))
        self._keep(locals())

    @recorded()
    def filtered_spectrogram(self, x: mx.array) -> mx.array:
        """Filtered spectrogram ``[..., n_filters, N]`` of audio ``[..., T]``; ``[n_filters, N]`` of ``[T]``."""
        epilogue = epilogue_of(self.output_scale, self.power, self.log_amin, self.log_mode)
        top_db = self.top_db if self.output_scale == "db" else None
        y = filterbank(self.spectral, x, self.filterbank, self.power, epilogue=epilogue, top_db=top_db)
        if self.output_scale == "log10_plus_one":
            y = mx.log1p(y) * float(1 / np.log(10))
        return like_input(x, mx.swapaxes(y, -1, -2))

    def __call__(self, x: mx.array) -> mx.array:
        """:meth:`filtered_spectrogram`."""
        return self.filtered_spectrogram(x)

    def get_compiled(self) -> Callable[[mx.array], Any]:
        """:meth:`filtered_spectrogram` for fixed shapes with the least overhead."""
        return self.compiled_once("filtered", self.filtered_spectrogram)
