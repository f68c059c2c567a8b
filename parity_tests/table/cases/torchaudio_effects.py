"""torchaudio's effects, its pitch and its voice activity."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import Decision, Program, Reject, Row, Sample, Timing, each_signal, pairwise
from .librosa_pitch import voice

WHY = "the same few operations, of which a processor may join a product and a sum"
_X = np.random.default_rng(93).uniform(-1, 1, (2, 3, 900)).astype(np.float32)
_SHAPES = ((0, 0), 0, slice(None))
# what is not finite is torchaudio's
FINITE = (
    "silence", "impulse", "dc", "chirp", "white_noise", "decay_into_denormals", "odd_length", "shorter_than_a_frame",
    "stereo_batch", "non_contiguous_view",
)  # fmt: skip


def _rows(o: dict[str, Any]) -> Any:
    return np.ascontiguousarray(_X[o.pop("rows")][..., : o.pop("length", 900)])


def _shifted(library: Any, x: Any, *args: Any, **options: Any) -> Any:
    """The result, and what has become of the waveform."""
    x = x.clone()
    return library.functional.dcshift(x, *args, **options), x


def _shift_samples() -> Iterator[Sample]:
    for o in pairwise(
        shift=(0.3, -0.4, 0.0, 1),
        limiter_gain=(None, 0.05, 0.3, 1),
        rows=_SHAPES,
        length=(900, 1),
        double=(True, False),
    ):
        x = _rows(o)
        x = x.astype(np.float64 if o.pop("double") else np.float32)
        free = o["limiter_gain"] is None or not o["shift"]
        yield Sample(f"{o} {x.shape}", (x,), o, "torch is as fast without a limiter" if free else "")


def _dithered(library: Any, x: Any, *args: Any, **options: Any) -> Any:
    import torch

    torch.manual_seed(93)
    x = x.clone()
    y = library.functional.dither(x, *args, **options)
    # quantised values are a decision, in steps; what torch draws next is the same
    return y, x, torch.rand(())


def _dither_samples() -> Iterator[Sample]:
    for o in pairwise(
        density_function=("TPDF", "RPDF", "GPDF", "none"),
        noise_shaping=(False, True),
        rows=_SHAPES[1:],
        length=(900, 7),
    ):
        x = _rows(o)
        yield Sample(f"{o} {x.shape}", (x.astype(np.float64),), o)


def _flanger_samples() -> Iterator[Sample]:
    for o in pairwise(
        sample_rate=(4000, 16000.5),
        delay=(0.0, 3.2),
        depth=(2.0, 0, 5.5),
        regen=(0.0, 50, -95.0),
        width=(71.0, 0),
        speed=(0.5, 90.0),
        phase=(25.0, 0, 100.0),
        modulation=("sinusoidal", "triangular"),
        interpolation=("linear", "quadratic"),
        rows=(0, slice(None), (slice(None), slice(1))),
        length=(600, 1),
    ):
        x = _rows(o)
        yield Sample(f"{o} {x.shape}", (x,), o, batched=x.ndim > 2)


def _phaser_samples() -> Iterator[Sample]:
    for o in pairwise(
        sample_rate=(4000, 16000.5),
        gain_in=(0.4, 1),
        gain_out=(0.74, 2.0),
        delay_ms=(3.0, 0.3, 5),
        decay=(0.4, 0, -0.9),
        mod_speed=(0.5, 90.0),
        sinusoidal=(True, False),
        rows=_SHAPES,
        length=(600, 1),
    ):
        x = _rows(o)
        yield Sample(f"{o} {x.shape}", (x,), o, batched=x.ndim > 2)


def _vanishing(x: Any) -> str:
    """Why torchaudio serves a signal that has frames of which the squares vanish, or nearly."""
    frames = np.pad(x, [*[(0, 0)] * (x.ndim - 1), (0, -x.shape[-1] % 80)]).reshape(-1, 80)
    energies, numbers = np.square(frames, dtype=np.float64).sum(-1), np.finfo(x.dtype)
    return "squares vanish" if np.any((energies > 0) & (energies < numbers.tiny / numbers.eps)) else ""


def _pitch_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x, 8000), {"win_length": 5}, _vanishing(x)), FINITE)
    x = voice()
    for o in pairwise(
        sample_rate=(8000, 16000.5),
        frame_time=(0.01, 0.0301),
        win_length=(3, 30, 8),
        freq_low=(85, 200.5),
        freq_high=(3400, 800),
        double=(False, True),
        rows=(slice(None), 0, None),
    ):
        y = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
        yield Sample(f"{o} {y.shape}", (y, *o.values()), batched=y.ndim > 1)
    yield Sample("values of which squares are infinite", (x * np.float32(1e30), 8000), {}, "squares are not finite")


def spoken(before: float, channels: int = 1, rate: int = 8000) -> Any:
    """Noise, and then a voice, later in each channel."""
    rng, length = np.random.default_rng(94), int(2 * rate)
    sound = np.sign(np.sin(2 * np.pi * 110 * np.arange(length) / rate)) * 0.3 + 0.02 * rng.standard_normal(length)
    x = np.zeros((channels, int(before * rate) + length))
    for k in range(channels):
        start = int(before * rate) + k * rate // 2
        x[k, start:] = sound[: x.shape[1] - start]
    return (x + 1e-3 * rng.standard_normal(x.shape)).astype(np.float32)


def _vad_samples(positional: bool) -> Iterator[Sample]:
    for o in pairwise(
        sample_rate=(8000, 16000),
        trigger_level=(7.0, 2, 40.0),
        trigger_time=(0.25, 0.1),
        search_time=(1.0, 0.3),
        allowed_gap=(0.25, 0.05),
        pre_trigger_time=(0.0, 0.2),
        boot_time=(0.35, 0.1),
        noise_up_time=(0.1, 0.05),
        noise_down_time=(0.01, 0.02),
        noise_reduction_amount=(1.35, 0.5),
        measure_freq=(20.0, 25),
        measure_duration=(None, 0.05),
        measure_smooth_time=(0.4, 0.2),
        before=(1.0, 3.0),
        channels=(1, 2, 0),
        double=(False, True),
    ):
        channels, kind = o.pop("channels"), np.float64 if o.pop("double") else np.float32
        x = spoken(o.pop("before"), channels or 1).astype(kind)
        x = x if channels else x[0]
        label = f"{o} {x.shape}"
        yield Sample(label, (x, *o.values()) if positional else (x,), {} if positional else o)
    x = spoken(0.1)
    options = {"sample_rate": 8000}
    for label, y in (("silence", 0 * x), ("a moment", x[:, :500])):
        yield Sample(label, (y, *options.values()) if positional else (y,), {} if positional else options)


def _time(*args: Any, channels: int = 0, **options: Any) -> Timing:
    def call(batch: int, length: int, _n_fft: int, _hop: int) -> Sample:
        x = np.random.default_rng(0).uniform(-0.5, 0.5, (batch, length)).astype(np.float32)
        # of a library that takes 50 us for a sample, a second at most
        x = np.ascontiguousarray(x[:, None, :16000]) if channels else x
        return Sample("", (x, *args), options)

    return Timing(call)


def _time_of_speech(batch: int, length: int, _n_fft: int, _hop: int) -> Sample:
    x = np.resize(spoken(length / 16000 - 2, rate=16000), (1, length)) if length > 32000 else spoken(0.0, rate=16000)
    return Sample("", (x, 16000))


_row = partial(Row, why=WHY, against="torchaudio")
_host = partial(_row, host=True)
_INTEGERS = np.ones((2, 90), np.int32)
ROWS = [
    _host("torchaudio.functional.dcshift", Program(_shifted), _shift_samples, timing=_time(0.3, 0.05)),
    _host("torchaudio.functional.dither", Program(_dithered), _dither_samples, timing=_time("TPDF", True)),
    _host(
        "torchaudio.functional.flanger",
        "torchaudio.functional.flanger",
        _flanger_samples,
        rejects=(
            Reject("five channels", (np.ones((5, 90), np.float32), 4000), {}, "ValueError"),
            Reject("one axis", (_X[0, 0], 4000), {}, "IndexError"),
            Reject("a shape", (_X, 4000), {"modulation": "square"}, "ValueError"),
            Reject("an interpolation", (_X, 4000), {"interpolation": "cubic"}, "ValueError"),
            Reject("signals that are no view", (np.stack([_X, _X]).swapaxes(0, 1), 4000), {}, "RuntimeError"),
            Reject("no speed", (_X, 4000), {"speed": 0}, "ZeroDivisionError"),
        ),
        timing=_time(16000, channels=1),
    ),
    _host(
        "torchaudio.functional.phaser",
        "torchaudio.functional.phaser",
        _phaser_samples,
        rejects=(
            Reject("no delay", (_X, 4000), {"delay_ms": 0}, "RuntimeError"),
            Reject("no speed", (_X, 4000), {"mod_speed": 0}, "ZeroDivisionError"),
            Reject("signals that are no view", (_X.swapaxes(0, 1), 4000), {}, "RuntimeError"),
        ),
        timing=_time(16000, channels=1),
    ),
    _host(
        "torchaudio.functional.detect_pitch_frequency",
        "torchaudio.functional.detect_pitch_frequency",
        _pitch_samples,
        judged=Decision(),
        rejects=(
            Reject("a short median", (_X, 8000), {"win_length": 2}, "ValueError"),
            Reject("too few frames", (_X[..., :80], 8000), {}, "RuntimeError"),
            Reject("no range", (_X, 8000), {"freq_high": 100}, "IndexError"),
            Reject("no frequency", (_X, 8000), {"freq_low": 0}, "ZeroDivisionError"),
            Reject("whole numbers", (_INTEGERS, 8000), {}, "RuntimeError"),
        ),
        timing=_time(16000),
    ),
    _host(
        "torchaudio.functional.vad",
        "torchaudio.functional.vad",
        partial(_vad_samples, True),
        rejects=(
            Reject("no quefrencies", (_X[0], 8000), {"lp_lifter_freq": 100.0}, "ValueError"),
            Reject("no measures", (_X[0], 8000), {"measure_freq": 0}, "ZeroDivisionError"),
        ),
        timing=Timing(_time_of_speech),
    ),
    _host("torchaudio.transforms.Vad", "torchaudio.transforms.Vad", partial(_vad_samples, False)),
]
