"""The spectrograms of transformers' feature extractors, which it makes a frame at a time, in float64.

It rounds spectra to complex64 before it takes their magnitudes; ours are not rounded before the end.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from transformers import audio_utils

from mlx_spectro.design.epilogues import Decibels
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.kaldi import Extraction
from mlx_spectro.design.operators import Elementwise, Filterbank, KaldiFilterbank, Operator, Spectrogram, Stft
from mlx_spectro.kernels import cpu

from .. import dispatch
from ..arrays.kinds import is_plain
from ..arrays.numpy_options import check_plain
from ..arrays.placement import check_host_kernels
from ..contract import tolerances
from ..contract.adapter import Library
from ..contract.decline import Decline
from ..contract.function import Work
from ..contract.reasons import unread

Array = npt.NDArray[Any]
_MODULE = "transformers.audio_utils"
_PAD_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")
# a tenth of the largest number of the complex64 in which transformers keeps spectra
_LARGEST = 3e37


class _Transformers(Library):
    def arguments(self, call: inspect.BoundArguments) -> dict[str, Any]:
        call.apply_defaults()
        return call.arguments

    def order(self, arguments: dict[str, Any]) -> int:
        """Length of the transforms of a call."""
        return int(arguments["fft_length"] or arguments["frame_length"])


_adapter = _Transformers(dispatch.call).adapter


def _served(name: str) -> Callable[[Any], Any]:
    """Take the place of a function of transformers that has the plan's parameters; in other versions it has others."""

    def register(plan: Any) -> Any:
        theirs = getattr(audio_utils, name, None)
        known = theirs is not None and [*inspect.signature(theirs).parameters] == [*inspect.signature(plan).parameters]
        return _adapter(f"{_MODULE}.{name}", tolerances.of_single(tolerances.elementwise))(plan) if known else plan

    return register


class _Extractor(NamedTuple):
    """What happens to padded audio ``[..., T]``."""

    op: Operator
    weights: tuple[Array, ...]
    power: float | None

    def __call__(self, x: Array, floor: float, transposed: bool) -> Array:
        """Values ``[..., values, N]`` of the audio, whose frames lie side by side if ``transposed``."""
        *lead, frames, values = self.op.shape(x.shape, *(weight.shape for weight in self.weights))
        if self.power is None:
            spectrum: Array = cpu.run(self.op, x, *self.weights).astype(np.complex64)
            return spectrum.swapaxes(-1, -2)
        shape = (*lead, values, frames) if transposed else (*lead, frames, values)
        out = np.empty(shape)
        by_frame = out.swapaxes(-1, -2) if transposed else out
        cpu.run(self.op, x, *self.weights, out=by_frame)
        if len(self.weights) > 1:
            np.maximum(floor, out, out=out)
        return by_frame.swapaxes(-1, -2)


def _numeric(name: str, x: Any, ndim: int) -> tuple[Array, float]:
    """A plain array of real numbers in double precision, and the sum of its squares, which is finite."""
    if not is_plain(x) or x.ndim != ndim or x.dtype.kind not in "fiu" or not x.size:
        raise Decline(f"{name} is not a NumPy array of real numbers with {ndim} axes")
    values: Array = x.astype(np.float64, order="C")
    energy = float(np.vdot(values, values))
    if not math.isfinite(energy):
        raise Decline(f"{name} is not finite, or its squares overflow")
    return values, energy


def _extractor(options: dict[str, Any]) -> _Extractor:
    """What transformers' options ask for; what it rejects is declined."""
    frame_length, hop_length = options["frame_length"], options["hop_length"]
    n_fft = frame_length if options["fft_length"] is None else options["fft_length"]
    sizes = (("frame_length", frame_length, 2), ("hop_length", hop_length, 1), ("fft_length", n_fft, frame_length))
    for name, value, least in sizes:
        if type(value) is not int:
            raise Decline(unread(name, value))
        check_plain(name, value, least, 2**31)
    window, _ = _numeric("window", options["window"], 1)
    if window.size != frame_length:
        raise Decline("the window is not frame_length samples long")
    for name, served in (("onesided", True), ("dither", 0.0)):
        if options[name] is not served and options[name] != served:
            raise Decline(f"{name} is not {served}")
    power, bank = options["power"], options["mel_filters"]
    if power is not None:
        check_plain("power", power, 1e-3, 4)
    preemphasis, mean = options["preemphasis"], bool(options["remove_dc_offset"])
    framing = Framing(n_fft, hop_length, right=n_fft - frame_length)
    padded = np.zeros(n_fft)
    padded[:frame_length] = window
    if bank is None:
        if mean or preemphasis is not None:
            raise Decline("frames are changed before their transform, and no filters given")
        op: Operator = Stft(framing) if power is None else Spectrogram(framing, float(power))
        return _Extractor(op, (padded,), power)
    if power is None:
        raise Decline("mel_filters are given, and power is None")
    check_plain("mel_floor", options["mel_floor"], 1e-300, 1e300)
    bank, _ = _numeric("mel_filters", bank, 2)
    if bank.shape[0] != n_fft // 2 + 1:
        raise Decline("mel_filters are not of as many frequencies as the spectrum")
    if not mean and preemphasis is None:
        return _Extractor(Filterbank(framing, float(power)), (padded, bank), power)
    if power not in (1, 2):
        raise Decline("frames are changed before their transform, and power is neither 1 nor 2")
    share = 0.0 if preemphasis is None else preemphasis
    check_plain("preemphasis", share, -1, 1)
    extraction = Extraction(Framing(frame_length, hop_length), n_fft, mean, float(share))
    kaldi = KaldiFilterbank(extraction, 1 if power == 1 else 2, logarithmic=False)
    return _Extractor(kaldi, (window, bank), power)


def _check_logarithm(options: dict[str, Any]) -> None:
    """Decline what transformers rejects of a logarithm, and what NumPy warns of."""
    kind, power = options["log_mel"], options["power"]
    if power is None or kind is None:
        return
    if kind not in ("log", "log10", "dB"):
        raise Decline(unread("log_mel", kind))
    if kind != "dB":
        if options["mel_filters"] is None:
            raise Decline("logarithms are taken of what may be 0")
        return
    if power not in (1, 2):
        raise Decline("log_mel is 'dB', and power is neither 1 nor 2")
    for name in ("reference", "min_value"):
        check_plain(name, options[name], 1e-300, 1e300)
    if options["db_range"] is not None:
        check_plain("db_range", options["db_range"], 1e-300, 1e300)


def _finished(values: Array, options: dict[str, Any]) -> Any:
    """``values`` on the scale that is asked for."""
    kind = options["log_mel"]
    if options["power"] is None or kind is None:
        return values
    if kind == "dB":
        multiplier = 20.0 if options["power"] == 1 else 10.0
        scale = Decibels(multiplier, float(options["min_value"]), float(options["reference"]))
    else:
        scale = Decibels(math.log(10) if kind == "log" else 1.0, np.finfo(float).tiny)
    # in the memory order of the values
    levels = np.empty_like(values)
    cpu.run(Elementwise(scale), values, out=levels)
    if kind == "dB" and options["db_range"] is not None:
        np.maximum(levels, levels.max(axis=(-2, -1), keepdims=True) - options["db_range"], out=levels)
    return np.asarray(levels, options["dtype"])


def _checked(options: dict[str, Any], waveforms: Sequence[Any]) -> list[Array]:
    """The audio as it is padded, if we can compute with it."""
    check_host_kernels("transformers")
    if np.dtype(options["dtype"]).char not in "fd":
        raise Decline("dtype is neither float32 nor float64")
    center, mode = options["center"], options["pad_mode"]
    if type(center) is not bool or (center and (type(mode) is not str or mode not in _PAD_MODES)):
        raise Decline("pad_mode is not one that is served")
    if not waveforms:
        raise Decline("there is no audio")
    for waveform in waveforms:
        _, energy = _numeric("the audio", waveform, 1)
        if not energy * options["frame_length"] < _LARGEST:
            raise Decline("the audio is so loud that its spectrum may overflow")
    half = options["frame_length"] // 2
    padded = [np.pad(waveform, half, mode=mode) if center else waveform for waveform in waveforms]
    if min(map(len, padded)) < options["frame_length"]:
        raise Decline("the audio is shorter than a frame")
    return padded


@_served("spectrogram")
def spectrogram(
    waveform: Any,
    window: Any,
    frame_length: Any,
    hop_length: Any,
    fft_length: Any = None,
    power: Any = 1.0,
    center: Any = True,
    pad_mode: Any = "reflect",
    onesided: Any = True,
    dither: Any = 0.0,
    preemphasis: Any = None,
    mel_filters: Any = None,
    mel_floor: Any = 1e-10,
    log_mel: Any = None,
    reference: Any = 1.0,
    min_value: Any = 1e-10,
    db_range: Any = None,
    remove_dc_offset: Any = False,
    dtype: Any = np.float32,
) -> Work:
    options = dict(locals())
    extract = _extractor(options)
    _check_logarithm(options)
    (padded,) = _checked(options, [waveform])

    def work() -> Any:
        values = extract(padded.astype(np.float64), mel_floor, transposed=mel_filters is not None)
        return _finished(values, options)

    return work


@_served("spectrogram_batch")
def spectrogram_batch(
    waveform_list: Any,
    window: Any,
    frame_length: Any,
    hop_length: Any,
    fft_length: Any = None,
    power: Any = 1.0,
    center: Any = True,
    pad_mode: Any = "reflect",
    onesided: Any = True,
    dither: Any = 0.0,
    preemphasis: Any = None,
    mel_filters: Any = None,
    mel_floor: Any = 1e-10,
    log_mel: Any = None,
    reference: Any = 1.0,
    min_value: Any = 1e-10,
    db_range: Any = None,
    remove_dc_offset: Any = False,
    dtype: Any = np.float32,
) -> Work:
    options = dict(locals())
    if type(waveform_list) not in (list, tuple):
        raise Decline(unread("waveform_list", waveform_list))
    extract = _extractor(options)
    _check_logarithm(options)
    padded = _checked(options, waveform_list)
    lengths = [len(waveform) for waveform in padded]

    def work() -> Any:
        batch = np.zeros((len(padded), max(lengths)), dtype)
        for row, waveform in zip(batch, padded, strict=True):
            row[: len(waveform)] = waveform
        values = extract(batch.astype(np.float64), mel_floor, transposed=False).swapaxes(-1, -2)
        values = _finished(values, options)
        frames = [1 + (length - frame_length) // hop_length for length in lengths]
        return [one[:count].T for one, count in zip(values, frames, strict=True)]

    return work
