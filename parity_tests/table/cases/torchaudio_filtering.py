"""torchaudio's recursive filters, and what it makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import Reject, Row, Sample, Timing, each_signal, pairwise

WHY = "the reference rounds to float32 at every sample, which poles near the unit circle multiply"
_X = (0.3 * np.random.default_rng(92).standard_normal((2, 3, 2400))).astype(np.float32)
_SHAPES = ((0, 0), 0, slice(None))
# signals on which a filter shows what it is; the others are lfilter's
_TELLING = ("impulse", "dc", "white_noise", "decay_into_denormals", "odd_length", "stereo_batch", "non_contiguous_view")


def _poles(*radii_and_angles: tuple[float, float]) -> Any:
    """The polynomial whose roots are these and their conjugates."""
    roots = [r * np.exp(sign * 1j * angle) for r, angle in radii_and_angles for sign in (1, -1)]
    return np.poly(roots).real.astype(np.float32)


# feedback and feedforward: first order, a resonance, not normalized, a double pole, high order, no feedback, a gain
FILTERS = {
    "first order": ([1.0, -0.97], [1.0, 0.0]),
    "a resonance": (_poles((0.98, 0.4)), [0.05, 0.1, 0.05]),
    "not normalized": ([2.0, -1.2, 0.5], [0.2, 0.3, 0.1]),
    "a double pole": ([1.0, -1.8, 0.81], [0.01, 0.0, -0.01]),
    "order 8": (_poles((0.8, 0.3), (0.7, 0.9), (0.8, 1.7), (0.6, 2.5)), np.linspace(0.3, -0.1, 9)),
    "no feedback": ([1.0, 0.0, 0.0, 0.0], [0.3, -0.2, 0.1, 0.4]),
    "a gain": ([2.0], [0.7]),
}


def _coefficients(name: str) -> tuple[Any, Any]:
    a, b = FILTERS[name]
    return np.asarray(a, np.float32), np.asarray(b, np.float32)


def _banks() -> Iterator[Sample]:
    """Several filters, one a channel or all for every channel."""
    a, b = (np.stack(each) for each in zip(*map(_coefficients, ("a resonance", "not normalized")), strict=True))
    three = a[[0, 1, 0]], b[[1, 0, 0]]
    for clamp in (True, False):
        yield Sample(f"a filter a channel, clamp={clamp}", (_X, *three, clamp))
        yield Sample(f"filters for one, clamp={clamp}", (_X[0, 0], a, b, clamp, False))
        yield Sample(f"filters for each, clamp={clamp}", (_X, a, b, clamp, False))


def _lfilter_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("resonance", (x, *_coefficients("a resonance"))))
    for o in pairwise(name=FILTERS, clamp=(True, False), rows=_SHAPES, length=(2400, 513, 9, 1), loud=(1, 9)):
        x = o["loud"] * _X[o["rows"]][..., : o["length"]]
        yield Sample(f"{o}", (x, *_coefficients(o["name"]), o["clamp"]), batched=x.ndim == 3)
    yield from _banks()


def _filtfilt_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("resonance", (x, *_coefficients("a resonance"))), _TELLING)
    for o in pairwise(name=FILTERS, clamp=(True, False), rows=_SHAPES, length=(2400, 513, 9)):
        x = _X[o["rows"]][..., : o["length"]]
        yield Sample(f"{o}", (x, *_coefficients(o["name"]), o["clamp"]), batched=x.ndim == 3)
    a, b = (np.stack([each] * 3) for each in _coefficients("a resonance"))
    yield Sample("a filter a channel", (_X, a, b))


def _designed(**options: Iterable[Any]) -> Callable[[], Iterator[Sample]]:
    """Samples of a filter that is designed, with options by position after the waveform."""

    def samples() -> Iterator[Sample]:
        first = tuple(next(iter(values)) for values in options.values())
        yield from each_signal(lambda x: Sample("", (x, *first)), _TELLING)
        for o in pairwise(**options, rows=_SHAPES):
            x = _X[o.pop("rows")]
            yield Sample(f"{o}", (x, *o.values()), batched=x.ndim == 3)

    return samples


_RATES, _HZ, _Q = (16000, 48000), (1000.0, 80, 5000.5), (0.707, 2, 0.3)
DESIGNS: dict[str, dict[str, tuple[Any, ...]]] = {
    "allpass_biquad": {"sample_rate": _RATES, "central_freq": _HZ, "Q": _Q},
    "band_biquad": {"sample_rate": _RATES, "central_freq": (1000.0, 300, 5000.5), "Q": _Q, "noise": (False, True)},
    "bandpass_biquad": {"sample_rate": _RATES, "central_freq": _HZ, "Q": _Q, "const_skirt_gain": (False, True)},
    "bandreject_biquad": {"sample_rate": _RATES, "central_freq": _HZ, "Q": _Q},
    "bass_biquad": {"sample_rate": _RATES, "gain": (6.0, -12), "central_freq": (300.0, 100), "Q": _Q},
    "biquad": {"b0": (0.2,), "b1": (0.3, -0.3), "b2": (0.1,), "a0": (1, 2.0), "a1": (-0.5,), "a2": (0.2, 0.4)},
    "deemph_biquad": {"sample_rate": (44100, 48000)},
    "equalizer_biquad": {"sample_rate": _RATES, "center_freq": _HZ, "gain": (3.0, -9), "Q": _Q},
    "highpass_biquad": {"sample_rate": _RATES, "cutoff_freq": _HZ, "Q": _Q},
    "lowpass_biquad": {"sample_rate": _RATES, "cutoff_freq": _HZ, "Q": _Q},
    "riaa_biquad": {"sample_rate": (44100, 48000, 88200, 96000)},
    "treble_biquad": {"sample_rate": _RATES, "gain": (6.0, -12), "central_freq": (3000, 1500.0), "Q": _Q},
}


def _emphasis_samples(positional: bool) -> Iterator[Sample]:
    def sample(label: str, x: Any, coeff: float) -> Sample:
        return Sample(label, (x, coeff)) if positional else Sample(label, (x,), {"coeff": coeff})

    yield from each_signal(lambda x: sample("", x, 0.97))
    for o in pairwise(coeff=(0.97, 0.5, 1, 0), rows=_SHAPES, length=(2400, 513, 1)):
        yield sample(f"{o}", _X[o["rows"]][..., : o["length"]], o["coeff"])


def _overdrive_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,)))
    for o in pairwise(gain=(20, 0.0, 60.5), colour=(20, 0, 100.0), rows=_SHAPES, length=(2400, 513, 1)):
        x = np.ascontiguousarray(_X[o["rows"]][..., : o["length"]])
        yield Sample(f"{o}", (x, o["gain"], o["colour"]), batched=x.ndim == 3)


def _loudness_samples(positional: bool) -> Iterator[Sample]:
    for o in pairwise(sample_rate=(4000, 4800, 5999), channels=(1, 2, 3), batch=(None, 2), level=(1.0, 0.01)):
        x = o["level"] * np.concatenate([_X[0], 0.1 * _X[1], _X[0]], -1)[: o["channels"]]
        x = x.astype(np.float32) if o["batch"] is None else np.stack([x, 0.5 * x]).astype(np.float32)
        rate = o["sample_rate"]
        yield Sample(f"{o}", (x, rate)) if positional else Sample(f"{o}", (x,), {"sample_rate": rate})


def _time(*options: Any, **kwargs: Any) -> Timing:
    def sample(batch: int, length: int, _n_fft: int, _hop: int) -> Sample:
        x = np.random.default_rng(0).uniform(-0.5, 0.5, (batch, length)).astype(np.float32)
        return Sample("", (x, *options), kwargs)

    return Timing(sample)


_row = partial(Row, why=WHY, against="torchaudio")
_A, _B = _coefficients("a resonance")
_COMMON = (
    Reject("no samples", (_X[..., :0], _A, _B), {}, "RuntimeError"),
    Reject("whole numbers", (np.ones((2, 90), np.int32), _A, _B), {}, "RuntimeError"),
    Reject("half precision", (_X.astype(np.float16), _A.astype(np.float16), _B.astype(np.float16)), {}, "RuntimeError"),
    Reject("two precisions", (_X.astype(np.float64), _A, _B), {}, "RuntimeError"),
    Reject("more of one", (_X, _A, _B[:2]), {}, "ValueError"),
    Reject("three axes", (_X, _A[None, None], _B[None, None]), {}, "ValueError"),
    Reject("no channel for a filter", (_X, np.stack([_A] * 2), np.stack([_B] * 2)), {}, "ValueError"),
    Reject("a filter each for one signal", (_X[0, 0], np.stack([_A] * 2), np.stack([_B] * 2)), {}, "IndexError"),
    Reject("no coefficients", (_X, _A[:0], _B[:0]), {}, "RuntimeError"),
)

ROWS = [
    _row(
        "torchaudio.functional.lfilter",
        "torchaudio.functional.lfilter",
        _lfilter_samples,
        gradient=True,
        rejects=_COMMON,
        timing=_time(_A, _B),
    ),
    _row(
        "torchaudio.functional.filtfilt",
        "torchaudio.functional.filtfilt",
        _filtfilt_samples,
        gradient=True,
        rejects=_COMMON,
        timing=_time(_A, _B),
    ),
    *(
        _row(
            f"torchaudio.functional.{name}",
            f"torchaudio.functional.{name}",
            _designed(**options),
            gradient=True,
            rejects=(
                Reject("no samples", (_X[..., :0], *(next(iter(v)) for v in options.values())), {}, "RuntimeError"),
            ),
            timing=_time(*(next(iter(values)) for values in options.values())),
        )
        for name, options in DESIGNS.items()
    ),
    _row(
        "torchaudio.functional.preemphasis",
        "torchaudio.functional.preemphasis",
        partial(_emphasis_samples, True),
        rejects=(Reject("whole numbers", (np.ones((2, 90), np.int32),), {}, "RuntimeError"),),
        timing=_time(),
    ),
    _row(
        "torchaudio.functional.deemphasis",
        "torchaudio.functional.deemphasis",
        partial(_emphasis_samples, True),
        gradient=True,
        rejects=(Reject("a name", (_X, "strong"), {}, "TypeError"),),
        timing=_time(),
    ),
    _row(
        "torchaudio.functional.loudness",
        "torchaudio.functional.loudness",
        partial(_loudness_samples, True),
        rejects=(
            Reject("six channels", (np.concatenate([_X[0]] * 2), 4000), {}, "ValueError"),
            Reject("less than a block", (_X[0], 16000), {}, "RuntimeError"),
            Reject("no channels", (_X[0, 0], 4000), {}, "IndexError"),
        ),
        timing=_time(16000),
    ),
    _row(
        "torchaudio.functional.overdrive",
        "torchaudio.functional.overdrive",
        _overdrive_samples,
        rejects=(
            Reject("a name", (_X, "loud"), {}, "TypeError"),
            Reject("no samples", (_X[..., :0],), {}, "RuntimeError"),
            Reject("rows that are no view", (_X.swapaxes(0, 1),), {}, "RuntimeError"),
        ),
        timing=_time(),
    ),
    _row("torchaudio.transforms.Preemphasis", "torchaudio.transforms.Preemphasis", partial(_emphasis_samples, False)),
    _row(
        "torchaudio.transforms.Deemphasis",
        "torchaudio.transforms.Deemphasis",
        partial(_emphasis_samples, False),
        gradient=True,
        timing=_time(),
    ),
    _row(
        "torchaudio.transforms.Loudness",
        "torchaudio.transforms.Loudness",
        partial(_loudness_samples, False),
        timing=_time(sample_rate=16000),
    ),
]
