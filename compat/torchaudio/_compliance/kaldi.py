"""spectrogram, fbank, mfcc and get_mel_banks of torchaudio.compliance.kaldi."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch
import torchaudio.compliance.kaldi as theirs
from torch import Tensor

from mlx_spectro.design.framing import Framing
from mlx_spectro.design.kaldi import Extraction, Place, kaldi_framing
from mlx_spectro.design.operators import KaldiFilterbank, KaldiSpectrogram, Project

from ...arrays import torch_tensors
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_tensor
from ...arrays.torch_ops import run
from ...arrays.torch_options import integer, truth
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import REJECTED, ByDesign, unread

Made = TypeVar("Made")

_get_mel_banks = theirs.get_mel_banks
_SAMPLE_FREQUENCY, _FRAME_LENGTH = 16000.0, 25.0
# torchaudio calculates with Python's numbers up to here as we do
_LARGEST = 1 << 52


def bound(dtype: np.dtype[Any], n_fft: int, largest: float) -> float:
    """Bound for energies, and for natural logarithms of those that lie at most 80 dB below the largest.

    There a magnitude is 1e-4 of the largest, so that its relative error is 1e4 times that of a spectrum.
    """
    return tolerances.energy(dtype, n_fft, largest) + 2e4 * tolerances.spectrum(dtype, n_fft, 1.0)


def cepstral_bound(dtype: np.dtype[Any], n_fft: int, largest: float) -> float:
    """:func:`bound` of orthonormal combinations of up to ``n_fft`` of them, lifted by the usual 1 + 22 / 2 or less."""
    return 12 * math.sqrt(n_fft) * bound(dtype, n_fft, largest)


def order(arguments: dict[str, Any]) -> int:
    """Length of a call's transforms, or more."""
    rate = arguments.get("sample_frequency", _SAMPLE_FREQUENCY)
    size = int(rate * arguments.get("frame_length", _FRAME_LENGTH) * theirs.MILLISECONDS_TO_SECONDS)
    return int(theirs._next_power_of_2(max(2, size)))


def _number(name: str, value: Any) -> Any:
    """A number with which torchaudio calculates as with Python's."""
    if type(value) not in (int, float, np.int64, np.float64):
        raise Decline(unread(name, value))
    if not -_LARGEST < value < _LARGEST:
        raise Decline(f"{name} is not finite, or beyond {_LARGEST}")
    return value


_NUMBERS = (
    "blackman_coeff", "dither", "energy_floor", "frame_length", "frame_shift", "min_duration",
    "preemphasis_coefficient", "sample_frequency",
)  # fmt: skip
_RANGES = ("low_freq", "high_freq", "vtln_low", "vtln_high", "vtln_warp")
_FLAGS = ("raw_energy", "remove_dc_offset", "round_to_power_of_two", "snip_edges")


class _Audio(NamedTuple):
    """A channel, and how frames are taken out of it."""

    engine: Any
    x: Tensor
    extraction: Extraction
    window: Tensor
    sample_frequency: float
    dither: float
    snip_edges: bool

    def values(self, op: KaldiSpectrogram, *weights: Tensor) -> Tensor:
        """What ``op`` makes of the frames, ``[N, values]``."""
        if not self.dither:
            return run(self.engine, op, self.x, self.window, *weights)
        size, shift, *_ = self.extraction.framing
        frames: Tensor = theirs._get_strided(self.x, size, shift, self.snip_edges)
        # as torchaudio draws them
        frames = frames + torch.randn(frames.shape, device=frames.device, dtype=frames.dtype) * self.dither
        singly = replace(op, extraction=self.extraction._replace(framing=Framing(size, shift)))
        return run(self.engine, singly, frames, self.window, *weights).squeeze(1)


def _audio(options: dict[str, Any]) -> _Audio:
    """The audio of a call with these options."""
    waveform = options["waveform"]
    check_tensor(waveform)
    if not (waveform.is_floating_point() and waveform.dim() == 2):
        raise Decline("the audio is not real, or not [channels, samples]")
    if not waveform.is_cpu:
        raise Decline("the audio does not lie on the CPU, where our kernels of this function run")
    if torch_tensors.gradient_wanted(waveform):
        raise Decline("the audio requires a gradient, which torch computes")
    channel = max(0, integer("channel", options["channel"]))
    if channel >= len(waveform):
        raise Decline(REJECTED)
    x = waveform[channel]
    given = {name: _number(name, options[name]) for name in _NUMBERS}
    flags = {name: truth(name, options[name]) for name in _FLAGS}
    rate = given["sample_frequency"]
    shift, size = (int(rate * given[name] * theirs.MILLISECONDS_TO_SECONDS) for name in ("frame_shift", "frame_length"))
    rounded = flags["round_to_power_of_two"]
    n_fft = theirs._next_power_of_2(size) if rounded and size > 0 else size
    preemphasis, floor, kind = given["preemphasis_coefficient"], given["energy_floor"], options["window_type"]
    if not (2 <= size <= len(x) and shift > 0 and n_fft % 2 == 0 and 0 <= preemphasis <= 1 and rate > 0 and floor >= 0):
        raise Decline(REJECTED)
    if len(x) < given["min_duration"] * rate:
        raise Decline(ByDesign("the audio is shorter than min_duration: there is nothing to compute"))
    if type(kind) is not str:
        raise Decline(unread("window_type", kind))
    if kind not in theirs.WINDOWS:
        raise Decline(REJECTED)
    snip_edges, dither = flags["snip_edges"], given["dither"]
    if not snip_edges and x.stride(0) != 1:
        raise Decline("snip_edges is False, and the samples do not lie side by side: torchaudio then takes others")
    framing = kaldi_framing(size, shift, snip_edges)
    if not framing.frames(len(x)):
        raise Decline("there is no frame")
    if dither and settings.numerics.get() == "verify":
        raise Decline(ByDesign("dither draws random numbers, and a second run to compare with would draw others"))
    least = math.log(floor) if floor else -math.inf
    how = Extraction(framing, n_fft, flags["remove_dc_offset"], float(preemphasis), flags["raw_energy"], least)
    window = _window(kind, size, given["blackman_coeff"], x.dtype)
    return _Audio(torch_tensors.engine_for(x, n_fft), x, how, window, rate, dither, snip_edges)


@functools.lru_cache(maxsize=32)
@torch.inference_mode(False)
def _window(kind: str, size: int, blackman_coeff: float, dtype: torch.dtype) -> Tensor:
    window: Tensor = theirs._feature_window_function(kind, size, blackman_coeff, torch.device("cpu"), dtype)
    return window


@functools.lru_cache(maxsize=32, typed=True)
@torch.inference_mode(False)
def _mel_banks(made_in: torch.dtype, *arguments: Any) -> tuple[Tensor, Tensor]:
    """What torchaudio makes of ``arguments`` where torch's default dtype is ``made_in``."""
    bank, centres = _get_mel_banks(*arguments)
    return bank, centres


@functools.lru_cache(maxsize=32, typed=True)
@torch.inference_mode(False)
def _bank(made_in: torch.dtype, dtype: torch.dtype, *arguments: Any) -> Tensor:
    """Filters ``[F, filters]``, of which none holds the last frequency."""
    bank, _ = _mel_banks(made_in, *arguments)
    return torch.nn.functional.pad(bank.to(dtype), (0, 1)).t().contiguous()


@functools.lru_cache(maxsize=32, typed=True)
@torch.inference_mode(False)
def _basis(made_in: torch.dtype, dtype: torch.dtype, filters: int, num_ceps: int, lifter: float, last: float) -> Tensor:
    """Cepstral basis ``[filters, num_ceps]``, lifted; the first column comes last, times ``last``, if that is not 0."""
    basis: Tensor = theirs._get_dct_matrix(num_ceps, filters).to(dtype)
    if lifter != 0:
        basis = basis * theirs._get_lifter_coeffs(num_ceps, lifter).to(dtype)
    return torch.cat([basis[:, 1:], basis[:, :1] * last], dim=1) if last else basis.contiguous()


def _made(function: Callable[..., Made], *arguments: Any) -> Made:
    """What ``function`` makes, in torch's default dtype, of arguments that torchaudio may reject."""
    device = torch.get_default_device()
    if device.type != "cpu":
        raise Decline(f"torch's default device is {device.type}")
    try:
        return function(torch.get_default_dtype(), *arguments)
    except (AssertionError, ArithmeticError, RuntimeError, ValueError) as error:
        raise Decline(REJECTED) from error


def _filters(options: dict[str, Any], audio: _Audio) -> Tensor:
    """The bank of a call with these options."""
    count = integer("num_mel_bins", options["num_mel_bins"])
    ranges = (_number(name, options[name]) for name in _RANGES)
    return _made(_bank, audio.x.dtype, count, audio.extraction.n_fft, audio.sample_frequency, *ranges)


def _centred(y: Tensor, wanted: bool) -> Tensor:
    return y - y.mean(0) if wanted else y


@adapter("torchaudio.compliance.kaldi.get_mel_banks", tolerances.sums)
def get_mel_banks(
    num_bins: int,
    window_length_padded: int,
    sample_freq: float,
    low_freq: float,
    high_freq: float,
    vtln_low: float,
    vtln_high: float,
    vtln_warp_factor: float,
) -> Work:
    """torchaudio.compliance.kaldi.get_mel_banks. Same arguments, same defaults.

    torchaudio's own, made once for the same arguments.
    """
    reason = torch_tensors.traced()
    if reason:
        raise Decline(reason)
    made = _made(_mel_banks, *(_number(name, value) for name, value in locals().items() if name != "reason"))
    return lambda: tuple(part.clone() for part in made)


@adapter("torchaudio.compliance.kaldi.spectrogram", bound, order=order)
def spectrogram(
    waveform: Tensor,
    blackman_coeff: float = 0.42,
    channel: int = -1,
    dither: float = 0.0,
    energy_floor: float = 1.0,
    frame_length: float = _FRAME_LENGTH,
    frame_shift: float = 10.0,
    min_duration: float = 0.0,
    preemphasis_coefficient: float = 0.97,
    raw_energy: bool = True,
    remove_dc_offset: bool = True,
    round_to_power_of_two: bool = True,
    sample_frequency: float = _SAMPLE_FREQUENCY,
    snip_edges: bool = True,
    subtract_mean: bool = False,
    window_type: str = theirs.POVEY,
) -> Work:
    """torchaudio.compliance.kaldi.spectrogram. Same arguments, same defaults."""
    audio, centred = _audio(locals()), truth("subtract_mean", subtract_mean)
    return lambda: _centred(audio.values(KaldiSpectrogram(audio.extraction)), centred)


@adapter("torchaudio.compliance.kaldi.fbank", bound, order=order)
def fbank(
    waveform: Tensor,
    blackman_coeff: float = 0.42,
    channel: int = -1,
    dither: float = 0.0,
    energy_floor: float = 1.0,
    frame_length: float = _FRAME_LENGTH,
    frame_shift: float = 10.0,
    high_freq: float = 0.0,
    htk_compat: bool = False,
    low_freq: float = 20.0,
    min_duration: float = 0.0,
    num_mel_bins: int = 23,
    preemphasis_coefficient: float = 0.97,
    raw_energy: bool = True,
    remove_dc_offset: bool = True,
    round_to_power_of_two: bool = True,
    sample_frequency: float = _SAMPLE_FREQUENCY,
    snip_edges: bool = True,
    subtract_mean: bool = False,
    use_energy: bool = False,
    use_log_fbank: bool = True,
    use_power: bool = True,
    vtln_high: float = -500.0,
    vtln_low: float = 100.0,
    vtln_warp: float = 1.0,
    window_type: str = theirs.POVEY,
) -> Work:
    """torchaudio.compliance.kaldi.fbank. Same arguments, same defaults."""
    options = locals()
    audio = _audio(options)
    bank = _filters(options, audio)
    power: Literal[1, 2] = 2 if truth("use_power", use_power) else 1
    last, wanted = truth("htk_compat", htk_compat), truth("use_energy", use_energy)
    place: Place = ("last" if last else "first") if wanted else ""
    op = KaldiFilterbank(audio.extraction, power, truth("use_log_fbank", use_log_fbank), place)
    centred = truth("subtract_mean", subtract_mean)
    return lambda: _centred(audio.values(op, bank), centred)


@adapter("torchaudio.compliance.kaldi.mfcc", cepstral_bound, order=order)
def mfcc(
    waveform: Tensor,
    blackman_coeff: float = 0.42,
    cepstral_lifter: float = 22.0,
    channel: int = -1,
    dither: float = 0.0,
    energy_floor: float = 1.0,
    frame_length: float = _FRAME_LENGTH,
    frame_shift: float = 10.0,
    high_freq: float = 0.0,
    htk_compat: bool = False,
    low_freq: float = 20.0,
    num_ceps: int = 13,
    min_duration: float = 0.0,
    num_mel_bins: int = 23,
    preemphasis_coefficient: float = 0.97,
    raw_energy: bool = True,
    remove_dc_offset: bool = True,
    round_to_power_of_two: bool = True,
    sample_frequency: float = _SAMPLE_FREQUENCY,
    snip_edges: bool = True,
    subtract_mean: bool = False,
    use_energy: bool = False,
    vtln_high: float = -500.0,
    vtln_low: float = 100.0,
    vtln_warp: float = 1.0,
    window_type: str = theirs.POVEY,
) -> Work:
    """torchaudio.compliance.kaldi.mfcc. Same arguments, same defaults."""
    options = locals()
    audio = _audio(options)
    bank = _filters(options, audio)
    filters, count, lifter = bank.shape[1], integer("num_ceps", num_ceps), _number("cepstral_lifter", cepstral_lifter)
    if count > filters:
        raise Decline(REJECTED)
    if count < 1:
        raise Decline("num_ceps is not above 0")
    last, energetic = truth("htk_compat", htk_compat), truth("use_energy", use_energy)
    # a scale that is part of one common definition of the cosine transform
    factor = 0.0 if not last else 1.0 if energetic else math.sqrt(2)
    basis = _made(_basis, audio.x.dtype, filters, count, lifter, factor)
    op = KaldiFilterbank(audio.extraction, energy="last" if energetic else "")
    centred = truth("subtract_mean", subtract_mean)

    def work() -> Tensor:
        levels = audio.values(op, bank)
        y = run(audio.engine, Project(), levels[:, :filters], basis)
        if energetic:
            y[:, -1 if last else 0] = levels[:, filters]
        return _centred(y, centred)

    return work
