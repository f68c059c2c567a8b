"""Modules of spectrograms, mel and cepstral features."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .. import functional as F


class _Windowed(torch.nn.Module):
    """What has frames and a window, the buffer ``window``."""

    window: Tensor

    def __init__(
        self,
        n_fft: int,
        win_length: int | None,
        hop_length: int | None,
        window_fn: Callable[..., Tensor],
        wkwargs: dict[str, Any] | None,
        hops: int = 2,
    ) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.win_length = n_fft if win_length is None else win_length
        self.hop_length = self.win_length // hops if hop_length is None else hop_length
        self.register_buffer("window", window_fn(self.win_length, **(wkwargs or {})))


class Spectrogram(_Windowed):
    """Spectrogram ``[..., bins, frames]`` of audio ``[..., T]``, see :func:`torchaudio.functional.spectrogram`.

    Args:
        n_fft: Samples of a transform.
        win_length: Samples of the window. Default: ``n_fft``.
        hop_length: Samples between frames. Default: ``win_length // 2``.
        pad: Zeros on both sides, in samples.
        window_fn, wkwargs: What makes the window of its length, and its other arguments.
        power: Exponent of the magnitude; None for the complex spectrogram.
        normalized: Divide by the root of the window's energy (True, ``"window"``), or length (``"frame_length"``).
        center: Frames lie around their samples, with padding by ``pad_mode`` at the ends.
        onesided: Leave out the half of the bins that mirrors the other one.
        return_complex: No longer of any effect; anything but None is warned of.
    """

    __constants__ = ("n_fft", "win_length", "hop_length", "pad", "power", "normalized")

    def __init__(
        self,
        n_fft: int = 400,
        win_length: int | None = None,
        hop_length: int | None = None,
        pad: int = 0,
        window_fn: Callable[..., Tensor] = torch.hann_window,
        power: float | None = 2.0,
        normalized: bool | str = False,
        wkwargs: dict[str, Any] | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        onesided: bool = True,
        return_complex: bool | None = None,
    ) -> None:
        super().__init__(n_fft, win_length, hop_length, window_fn, wkwargs)
        self.pad = pad
        self.power = power
        self.normalized = normalized
        self.center = center
        self.pad_mode = pad_mode
        self.onesided = onesided
        if return_complex is not None:
            warnings.warn("return_complex has no effect: the spectrogram is complex where power is None", stacklevel=2)

    def forward(self, waveform: Tensor) -> Tensor:
        return F.spectrogram(
            waveform,
            self.pad,
            self.window,
            self.n_fft,
            self.hop_length,
            self.win_length,
            self.power,
            self.normalized,
            self.center,
            self.pad_mode,
            self.onesided,
        )


class InverseSpectrogram(_Windowed):
    """Audio ``[..., T]`` of complex spectrograms, see :class:`Spectrogram`, of ``length`` samples if that is given."""

    __constants__ = ("n_fft", "win_length", "hop_length", "pad", "power", "normalized")

    def __init__(
        self,
        n_fft: int = 400,
        win_length: int | None = None,
        hop_length: int | None = None,
        pad: int = 0,
        window_fn: Callable[..., Tensor] = torch.hann_window,
        normalized: bool | str = False,
        wkwargs: dict[str, Any] | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        onesided: bool = True,
    ) -> None:
        super().__init__(n_fft, win_length, hop_length, window_fn, wkwargs)
        self.pad = pad
        self.normalized = normalized
        self.center = center
        self.pad_mode = pad_mode
        self.onesided = onesided

    def forward(self, spectrogram: Tensor, length: int | None = None) -> Tensor:
        return F.inverse_spectrogram(
            spectrogram,
            length,
            self.pad,
            self.window,
            self.n_fft,
            self.hop_length,
            self.win_length,
            self.normalized,
            self.center,
            self.pad_mode,
            self.onesided,
        )


class GriffinLim(_Windowed):
    """Audio ``[..., T]`` whose spectrogram comes near a given one, see :func:`torchaudio.functional.griffinlim`.

    Raises:
        ValueError: ``momentum`` is not in [0, 1).
    """

    __constants__ = ("n_fft", "n_iter", "win_length", "hop_length", "power", "length", "momentum", "rand_init")

    def __init__(
        self,
        n_fft: int = 400,
        n_iter: int = 32,
        win_length: int | None = None,
        hop_length: int | None = None,
        window_fn: Callable[..., Tensor] = torch.hann_window,
        power: float = 2.0,
        wkwargs: dict[str, Any] | None = None,
        momentum: float = 0.99,
        length: int | None = None,
        rand_init: bool = True,
    ) -> None:
        super().__init__(n_fft, win_length, hop_length, window_fn, wkwargs)
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), got {momentum}")
        self.n_iter = n_iter
        self.length = length
        self.power = power
        self.momentum = momentum
        self.rand_init = rand_init

    def forward(self, specgram: Tensor) -> Tensor:
        return F.griffinlim(
            specgram,
            self.window,
            self.n_fft,
            self.hop_length,
            self.win_length,
            self.power,
            self.n_iter,
            self.momentum,
            self.length,
            self.rand_init,
        )


class SpectralCentroid(_Windowed):
    """Mean frequency of each frame in Hz, ``[..., frames]``, see :func:`torchaudio.functional.spectral_centroid`."""

    __constants__ = ("sample_rate", "n_fft", "win_length", "hop_length", "pad")

    def __init__(
        self,
        sample_rate: int,
        n_fft: int = 400,
        win_length: int | None = None,
        hop_length: int | None = None,
        pad: int = 0,
        window_fn: Callable[..., Tensor] = torch.hann_window,
        wkwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(n_fft, win_length, hop_length, window_fn, wkwargs)
        self.sample_rate = sample_rate
        self.pad = pad

    def forward(self, waveform: Tensor) -> Tensor:
        return F.spectral_centroid(
            waveform, self.sample_rate, self.pad, self.window, self.n_fft, self.hop_length, self.win_length
        )


class AmplitudeToDB(torch.nn.Module):
    """Decibels of powers (``stype="power"``) or amplitudes, see :func:`torchaudio.functional.amplitude_to_DB`.

    Raises:
        ValueError: ``top_db`` is below 0.
    """

    __constants__ = ("multiplier", "amin", "ref_value", "db_multiplier")

    def __init__(self, stype: str = "power", top_db: float | None = None) -> None:
        super().__init__()
        if top_db is not None and top_db < 0:
            raise ValueError(f"top_db must be at least 0, got {top_db}")
        self.stype = stype
        self.top_db = top_db
        self.multiplier = 10.0 if stype == "power" else 20.0
        self.amin = 1e-10
        self.ref_value = 1.0
        self.db_multiplier = math.log10(max(self.amin, self.ref_value))

    def forward(self, x: Tensor) -> Tensor:
        return F.amplitude_to_DB(x, self.multiplier, self.amin, self.db_multiplier, self.top_db)


class _Mel(torch.nn.Module):
    """What has a mel filterbank ``[n_stft, n_mels]``, the buffer ``fb``."""

    fb: Tensor

    def __init__(
        self,
        n_mels: int,
        sample_rate: int,
        f_min: float,
        f_max: float,
        n_stft: int,
        norm: str | None,
        mel_scale: str,
    ) -> None:
        super().__init__()
        if f_min > f_max:
            raise ValueError(f"f_min must not be above f_max, got {f_min} and {f_max}")
        self.n_mels = n_mels
        self.sample_rate = sample_rate
        self.f_min = f_min
        self.f_max = f_max
        self.n_stft = n_stft
        self.norm = norm
        self.mel_scale = mel_scale
        self.register_buffer("fb", F.melscale_fbanks(n_stft, f_min, f_max, n_mels, sample_rate, norm, mel_scale))


class MelScale(_Mel):
    """Spectrograms ``[..., n_stft, time]`` through mel filters, see :func:`torchaudio.functional.melscale_fbanks`.

    Args:
        f_max: Hz; the Nyquist frequency by default.

    Raises:
        ValueError: ``f_min`` is above ``f_max``, or an unknown ``norm`` or ``mel_scale``.
    """

    __constants__ = ("n_mels", "sample_rate", "f_min", "f_max", "n_stft")

    def __init__(
        self,
        n_mels: int = 128,
        sample_rate: int = 16000,
        f_min: float = 0.0,
        f_max: float | None = None,
        n_stft: int = 201,
        norm: str | None = None,
        mel_scale: str = "htk",
    ) -> None:
        high = float(sample_rate // 2) if f_max is None else f_max
        super().__init__(n_mels, sample_rate, f_min, high, n_stft, norm, mel_scale)

    def forward(self, specgram: Tensor) -> Tensor:
        return torch.matmul(specgram.transpose(-1, -2), self.fb).transpose(-1, -2)


class InverseMelScale(_Mel):
    """Spectrograms ``[..., n_stft, time]``, 0 at least, that come nearest to a mel spectrogram, by least squares.

    Args:
        driver: Of LAPACK, ``"gels"``, ``"gelsy"``, ``"gelsd"`` or ``"gelss"``.

    Raises:
        ValueError: as :class:`MelScale`; an unknown driver; another number of mels than ``n_mels``.
    """

    __constants__ = ("n_stft", "n_mels", "sample_rate", "f_min", "f_max")

    def __init__(
        self,
        n_stft: int,
        n_mels: int = 128,
        sample_rate: int = 16000,
        f_min: float = 0.0,
        f_max: float | None = None,
        norm: str | None = None,
        mel_scale: str = "htk",
        driver: str = "gels",
    ) -> None:
        if driver not in ("gels", "gelsy", "gelsd", "gelss"):
            raise ValueError(f"driver must be 'gels', 'gelsy', 'gelsd' or 'gelss', got '{driver}'")
        super().__init__(n_mels, sample_rate, f_min, f_max or float(sample_rate // 2), n_stft, norm, mel_scale)
        self.driver = driver

    def forward(self, melspec: Tensor) -> Tensor:
        mels = melspec.view(-1, melspec.shape[-2], melspec.shape[-1])
        if mels.shape[1] != self.n_mels:
            raise ValueError(f"{self.n_mels} mels are expected, got {mels.shape[1]}")
        nearest = torch.linalg.lstsq(self.fb.transpose(-1, -2)[None], mels, driver=self.driver).solution
        return torch.relu(nearest).view(melspec.shape[:-2] + (self.fb.shape[0], melspec.shape[-1]))


class MelSpectrogram(torch.nn.Module):
    """Mel spectrogram ``[..., n_mels, frames]`` of audio ``[..., T]``: :class:`Spectrogram`, then :class:`MelScale`.

    Args:
        onesided: No longer of any effect; anything but None is warned of.
    """

    __constants__ = ("sample_rate", "n_fft", "win_length", "hop_length", "pad", "n_mels", "f_min")

    def __init__(
        self,
        sample_rate: int = 16000,
        n_fft: int = 400,
        win_length: int | None = None,
        hop_length: int | None = None,
        f_min: float = 0.0,
        f_max: float | None = None,
        pad: int = 0,
        n_mels: int = 128,
        window_fn: Callable[..., Tensor] = torch.hann_window,
        power: float = 2.0,
        normalized: bool = False,
        wkwargs: dict[str, Any] | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        onesided: bool | None = None,
        norm: str | None = None,
        mel_scale: str = "htk",
    ) -> None:
        super().__init__()
        if onesided is not None:
            warnings.warn("onesided has no effect on a mel spectrogram", stacklevel=2)
        self.spectrogram = Spectrogram(
            n_fft, win_length, hop_length, pad, window_fn, power, normalized, wkwargs, center, pad_mode, True
        )
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.win_length = self.spectrogram.win_length
        self.hop_length = self.spectrogram.hop_length
        self.pad = pad
        self.power = power
        self.normalized = normalized
        self.n_mels = n_mels
        self.f_max = f_max
        self.f_min = f_min
        self.mel_scale = MelScale(n_mels, sample_rate, f_min, f_max, n_fft // 2 + 1, norm, mel_scale)

    def forward(self, waveform: Tensor) -> Tensor:
        return self.mel_scale(self.spectrogram(waveform))


class MFCC(torch.nn.Module):
    """Mel-frequency cepstral coefficients ``[..., n_mfcc, frames]`` of audio ``[..., T]``.

    Args:
        dct_type: 2.
        norm: As of :func:`torchaudio.functional.create_dct`.
        log_mels: Of natural logarithms, and not of decibels.
        melkwargs: Arguments of :class:`MelSpectrogram`.

    Raises:
        ValueError: another ``dct_type``, an unknown ``norm``, or more coefficients than mels.
    """

    __constants__ = ("sample_rate", "n_mfcc", "dct_type", "top_db", "log_mels")

    dct_mat: Tensor

    def __init__(
        self,
        sample_rate: int = 16000,
        n_mfcc: int = 40,
        dct_type: int = 2,
        norm: str = "ortho",
        log_mels: bool = False,
        melkwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if dct_type != 2:
            raise ValueError(f"dct_type must be 2, got {dct_type}")
        self.sample_rate = sample_rate
        self.n_mfcc = n_mfcc
        self.dct_type = dct_type
        self.norm = norm
        self.top_db = 80.0
        self.amplitude_to_DB = AmplitudeToDB("power", self.top_db)
        self.MelSpectrogram = MelSpectrogram(sample_rate, **(melkwargs or {}))
        if n_mfcc > self.MelSpectrogram.n_mels:
            raise ValueError(f"n_mfcc must be at most n_mels={self.MelSpectrogram.n_mels}, got {n_mfcc}")
        self.register_buffer("dct_mat", F.create_dct(n_mfcc, self.MelSpectrogram.n_mels, norm))
        self.log_mels = log_mels

    def forward(self, waveform: Tensor) -> Tensor:
        mels = self.MelSpectrogram(waveform)
        levels = torch.log(mels + 1e-6) if self.log_mels else self.amplitude_to_DB(mels)
        return torch.matmul(levels.transpose(-1, -2), self.dct_mat).transpose(-1, -2)


class LFCC(torch.nn.Module):
    """Linear-frequency cepstral coefficients ``[..., n_lfcc, frames]`` of audio ``[..., T]``, else as :class:`MFCC`.

    Raises:
        ValueError: another ``dct_type``, an unknown ``norm``, or more coefficients than ``n_fft``.
    """

    __constants__ = ("sample_rate", "n_filter", "n_lfcc", "dct_type", "top_db", "log_lf")

    filter_mat: Tensor
    dct_mat: Tensor

    def __init__(
        self,
        sample_rate: int = 16000,
        n_filter: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
        n_lfcc: int = 40,
        dct_type: int = 2,
        norm: str = "ortho",
        log_lf: bool = False,
        speckwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if dct_type != 2:
            raise ValueError(f"dct_type must be 2, got {dct_type}")
        self.sample_rate = sample_rate
        self.f_min = f_min
        self.f_max = float(sample_rate // 2) if f_max is None else f_max
        self.n_filter = n_filter
        self.n_lfcc = n_lfcc
        self.dct_type = dct_type
        self.norm = norm
        self.top_db = 80.0
        self.amplitude_to_DB = AmplitudeToDB("power", self.top_db)
        self.Spectrogram = Spectrogram(**(speckwargs or {}))
        if n_lfcc > self.Spectrogram.n_fft:
            raise ValueError(f"n_lfcc must be at most n_fft={self.Spectrogram.n_fft}, got {n_lfcc}")
        bins = self.Spectrogram.n_fft // 2 + 1
        self.register_buffer("filter_mat", F.linear_fbanks(bins, f_min, self.f_max, n_filter, sample_rate))
        self.register_buffer("dct_mat", F.create_dct(n_lfcc, n_filter, norm))
        self.log_lf = log_lf

    def forward(self, waveform: Tensor) -> Tensor:
        bands = torch.matmul(self.Spectrogram(waveform).transpose(-1, -2), self.filter_mat).transpose(-1, -2)
        levels = torch.log(bands + 1e-6) if self.log_lf else self.amplitude_to_DB(bands)
        return torch.matmul(levels.transpose(-1, -2), self.dct_mat).transpose(-1, -2)


class ComputeDeltas(torch.nn.Module):
    """Slopes over time, see :func:`torchaudio.functional.compute_deltas`."""

    __constants__ = ("win_length",)

    def __init__(self, win_length: int = 5, mode: str = "replicate") -> None:
        super().__init__()
        self.win_length = win_length
        self.mode = mode

    def forward(self, specgram: Tensor) -> Tensor:
        return F.compute_deltas(specgram, self.win_length, self.mode)


class SlidingWindowCmn(torch.nn.Module):
    """Features less their mean over a window, see :func:`torchaudio.functional.sliding_window_cmn`."""

    def __init__(
        self, cmn_window: int = 600, min_cmn_window: int = 100, center: bool = False, norm_vars: bool = False
    ) -> None:
        super().__init__()
        self.cmn_window = cmn_window
        self.min_cmn_window = min_cmn_window
        self.center = center
        self.norm_vars = norm_vars

    def forward(self, specgram: Tensor) -> Tensor:
        return F.sliding_window_cmn(specgram, self.cmn_window, self.min_cmn_window, self.center, self.norm_vars)
