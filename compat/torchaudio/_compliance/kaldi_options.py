"""What the options of Kaldi's features ask for, read once for all calls with the same ones."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch
import torchaudio.compliance.kaldi as theirs
from torch import Tensor

from mlx_spectro.design.kaldi import Extraction, Place, kaldi_framing
from mlx_spectro.design.operators import KaldiFilterbank, KaldiSpectrogram

from ...arrays.torch_options import integer, truth
from ...contract.decline import Decline
from ...contract.reasons import REJECTED, ByDesign, unread

Result = TypeVar("Result")

_get_mel_banks = theirs.get_mel_banks
# torchaudio calculates with Python's numbers up to here as we do
_LARGEST = 1 << 52
# samples; a window and filters are designed before the audio is looked at
_LONGEST = 1 << 15
_NUMBERS = (int, float, np.int64, np.float64)
# by whose values options are known again
_CONSTANTS = frozenset({*_NUMBERS, bool, str, np.bool_, type(None)})
_RANGES = ("low_freq", "high_freq", "vtln_low", "vtln_high", "vtln_warp")

Options = dict[str, Any]


class Cepstra(NamedTuple):
    """What is made of the logarithms of filters."""

    basis: Tensor
    """``[filters, num_ceps]``."""
    energy: int | None
    """The coefficient in whose place a frame's energy is put, which comes after the filters."""


class Features(NamedTuple):
    """What options ask for, whatever the audio."""

    op: KaldiSpectrogram
    weights: tuple[Tensor, ...]
    channel: int
    shortest: float
    """Samples below which there is nothing to compute."""
    dither: float
    snip_edges: bool
    centred: bool
    """Whether the mean over all frames is subtracted."""
    cepstra: Cepstra | None = None


def number(name: str, value: Any) -> Any:
    """A number with which torchaudio calculates as with Python's."""
    if type(value) not in _NUMBERS:
        raise Decline(unread(name, value))
    if not -_LARGEST < value < _LARGEST:
        raise Decline(f"{name} is not finite, or beyond {_LARGEST}")
    return value


def read(options: Options, dtype: torch.dtype) -> Features:
    """What ``options``, all of a call's but its audio of ``dtype``, ask for."""
    if not _CONSTANTS.issuperset(map(type, options.values())):
        raise Decline(next(unread(*pair) for pair in options.items() if type(pair[1]) not in _CONSTANTS))
    try:
        return design(_features, tuple(options), dtype, *options.values())
    except Decline as decline:
        if decline.args == (REJECTED,) and options["min_duration"]:
            # it looks at few options of audio that is too short
            raise Decline("min_duration is given, and torchaudio rejects other options of longer audio") from decline
        raise


def design(function: Callable[..., Result], *arguments: Any) -> Result:
    """What ``function`` makes, in torch's default dtype, of arguments that torchaudio may reject."""
    # in a stack of its modes torch has its default device, too
    if torch._C._len_torch_function_stack() and torch.get_default_device().type != "cpu":
        raise Decline(f"torch's default device is {torch.get_default_device().type}")
    try:
        return function(torch.get_default_dtype(), *arguments)
    except (AssertionError, ArithmeticError, RuntimeError, ValueError) as error:
        raise Decline(REJECTED) from error


def _once(function: Callable[..., Result]) -> Callable[..., Result]:
    """``function``, called once for equal arguments of the same types, wherever a later call happens."""
    return functools.lru_cache(maxsize=64, typed=True)(torch.inference_mode(False)(function))


@_once
def mel_banks(made_in: torch.dtype, *arguments: Any) -> tuple[Tensor, Tensor]:
    """What torchaudio's get_mel_banks makes of ``arguments``, torch's default dtype being ``made_in``."""
    bank, centres = _get_mel_banks(*arguments)
    return bank, centres


@_once
def _features(made_in: torch.dtype, names: tuple[str, ...], dtype: torch.dtype, *values: Any) -> Features:
    o = dict(zip(names, values, strict=True))
    how, window = _frames(o, dtype)
    op, weights, cepstra = KaldiSpectrogram(how), [window], None
    if "num_mel_bins" in o:
        op, bank = _filterbank(o, how, made_in, dtype)
        weights.append(bank)
        cepstra = _cepstra(o, bank.shape[1], dtype) if "num_ceps" in o else None
    channel, shortest = max(0, integer("channel", o["channel"])), number("min_duration", o["min_duration"])
    dither, centred = number("dither", o["dither"]), truth("subtract_mean", o["subtract_mean"])
    shortest, snipped = shortest * o["sample_frequency"], truth("snip_edges", o["snip_edges"])
    return Features(op, tuple(weights), channel, shortest, dither, snipped, centred, cepstra)


def _frames(o: Options, dtype: torch.dtype) -> tuple[Extraction, Tensor]:
    """How frames are taken out of audio, and their window."""
    rate = number("sample_frequency", o["sample_frequency"])
    size, shift = (
        int(rate * number(name, o[name]) * theirs.MILLISECONDS_TO_SECONDS) for name in ("frame_length", "frame_shift")
    )
    rounded, snipped = (truth(name, o[name]) for name in ("round_to_power_of_two", "snip_edges"))
    n_fft = theirs._next_power_of_2(size) if rounded and size > 0 else size
    preemphasis, floor = (number(name, o[name]) for name in ("preemphasis_coefficient", "energy_floor"))
    kind, coefficient = o["window_type"], number("blackman_coeff", o["blackman_coeff"])
    if type(kind) is not str:
        raise Decline(unread("window_type", kind))
    if not (size > 1 and shift > 0 and n_fft % 2 == 0 and 0 <= preemphasis <= 1 and rate > 0 and floor >= 0):
        raise Decline(REJECTED)
    if size > _LONGEST:
        raise Decline(f"a frame is longer than {_LONGEST} samples")
    if kind not in theirs.WINDOWS:
        raise Decline(REJECTED)
    removed, raw = (truth(name, o[name]) for name in ("remove_dc_offset", "raw_energy"))
    least = math.log(floor) if floor else -math.inf
    how = Extraction(kaldi_framing(size, shift, snipped), n_fft, removed, float(preemphasis), raw, least)
    return how, theirs._feature_window_function(kind, size, coefficient, torch.device("cpu"), dtype)


def _filterbank(
    o: Options, how: Extraction, made_in: torch.dtype, dtype: torch.dtype
) -> tuple[KaldiFilterbank, Tensor]:
    """The operator, and its bank ``[F, filters]``, where no filter holds the last frequency."""
    ranges = (number(name, o[name]) for name in _RANGES)
    bank, _ = mel_banks(made_in, integer("num_mel_bins", o["num_mel_bins"]), how.n_fft, o["sample_frequency"], *ranges)
    power: Literal[1, 2] = 2 if truth("use_power", o.get("use_power", True)) else 1
    logarithmic, energetic = truth("use_log_fbank", o.get("use_log_fbank", True)), truth("use_energy", o["use_energy"])
    # of cepstra, the energy finds its place later
    last = truth("htk_compat", o["htk_compat"]) or "num_ceps" in o
    place: Place = ("last" if last else "first") if energetic else ""
    padded = torch.nn.functional.pad(bank.to(dtype), (0, 1)).t().contiguous()
    return KaldiFilterbank(how, power, logarithmic, place), padded


def _cepstra(o: Options, filters: int, dtype: torch.dtype) -> Cepstra:
    """Torchaudio's basis, lifted; by HTK's order the first coefficient comes last."""
    count, lifter = integer("num_ceps", o["num_ceps"]), number("cepstral_lifter", o["cepstral_lifter"])
    if count > filters:
        raise Decline(REJECTED)
    if count < 1:
        raise Decline(ByDesign("num_ceps is not above 0"))
    basis = theirs._get_dct_matrix(count, filters).to(dtype)
    if lifter != 0:
        basis = basis * theirs._get_lifter_coeffs(count, lifter).to(dtype)
    htk, energetic = truth("htk_compat", o["htk_compat"]), truth("use_energy", o["use_energy"])
    if htk:
        # without a scale that is part of one common definition of the cosine transform
        first = basis[:, :1] if energetic else basis[:, :1] * math.sqrt(2)
        basis = torch.cat([basis[:, 1:], first], dim=1)
    return Cepstra(basis.contiguous(), (count - 1 if htk else 0) if energetic else None)
