"""Onset detection functions, on MLX arrays, against their definitions frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample, each_signal, pairwise
from ..native import lazily
from .stft import spectrum, window

RISES = "float32 differences and sums over bins"
PHASES = (
    "a direction is rounded by as much whatever its magnitude, and angles of products of three are summed over bins"
)


def _frames(s: Any) -> Any:
    """Magnitudes ``[N, ..., F]`` of ``[..., F, N]``."""
    return np.moveaxis(np.abs(s), -1, 0)


def _result(values: list[Any], like: Any) -> Any:
    return np.stack(values, axis=-1) if values else np.zeros((*like.shape[:-2], 0), like.real.dtype)


def high_frequency_content(s: Any) -> Any:
    number = np.arange(s.shape[-2]).astype(s.real.dtype)
    return _result([(frame * number).mean(axis=-1) for frame in _frames(s)], s)


def _rises(s: Any, lag: int, before: Any) -> list[Any]:
    frames, earlier = _frames(s), _frames(before)
    return [np.maximum(frames[n] - earlier[n - lag], 0) if n >= lag else 0 * frames[n] for n in range(len(frames))]


def spectral_flux(s: Any, *, lag: int = 1) -> Any:
    return _result([rise.sum(axis=-1) for rise in _rises(s, lag, s)], s)


def spectral_difference(s: Any, *, lag: int = 1) -> Any:
    return _result([(rise**2).sum(axis=-1) for rise in _rises(s, lag, s)], s)


def _widened(s: Any, max_bins: int) -> Any:
    bins = s.shape[-2]
    around = [slice(max(0, k - max_bins // 2), k - max_bins // 2 + max_bins) for k in range(bins)]
    return np.stack([np.abs(s)[..., part, :].max(axis=-2) for part in around], axis=-2)


def superflux(s: Any, *, lag: int = 1, max_bins: int = 3) -> Any:
    return _result([rise.sum(axis=-1) for rise in _rises(s, lag, _widened(s, max_bins))], s)


def modified_kullback_leibler(s: Any, *, lag: int = 1, eps: float = 2.0**-52) -> Any:
    frames, values = _frames(s), []
    for n in range(len(frames)):
        ratio = frames[n] / (frames[n - lag] + s.real.dtype.type(eps)) if n >= lag else 0 * frames[n]
        values.append(np.log1p(ratio).mean(axis=-1))
    return _result(values, s)


def _wrapped(angle: Any) -> Any:
    """Radians from minus half a turn on, and below half a turn."""
    return np.mod(angle + np.pi, 2 * np.pi) - np.pi


def _deviations(z: Any) -> list[Any]:
    phase = np.moveaxis(np.angle(z), -1, 0)
    return [
        np.abs(_wrapped(phase[n] - 2 * phase[n - 1] + phase[n - 2])) if n > 1 else 0 * phase[n]
        for n in range(len(phase))
    ]


def phase_deviation(z: Any) -> Any:
    return _result([deviation.mean(axis=-1) for deviation in _deviations(z)], z)


def weighted_phase_deviation(z: Any) -> Any:
    pairs = zip(_deviations(z), _frames(z), strict=True)
    return _result([(deviation * frame).mean(axis=-1) for deviation, frame in pairs], z)


def normalized_weighted_phase_deviation(z: Any, *, eps: float = 2.0**-52) -> Any:
    mean = _result([frame.mean(axis=-1) for frame in _frames(z)], z)
    return weighted_phase_deviation(z) / (mean + z.real.dtype.type(eps))


def _surprises(z: Any) -> list[Any]:
    frames, phase = np.moveaxis(z, -1, 0), np.moveaxis(np.angle(z), -1, 0)
    values = []
    for n in range(len(frames)):
        promised = 0 * frames[n]
        if n:
            angle = 2 * phase[n - 1] - phase[n - 2] if n > 1 else 0 * phase[n]
            promised = np.abs(frames[n - 1]) * np.exp(1j * angle).astype(z.dtype)
        values.append(np.abs(frames[n] - promised))
    return values


def complex_domain(z: Any) -> Any:
    return _result([surprise.sum(axis=-1) for surprise in _surprises(z)], z)


def rectified_complex_domain(z: Any, *, lag: int = 1) -> Any:
    pairs = zip(_surprises(z), _rises(z, lag, z), strict=True)
    return _result([np.where(rise > 0, surprise, 0).sum(axis=-1) for surprise, rise in pairs], z)


def complex_flux(
    z: Any, s: Any = None, *, lag: int = 1, max_bins: int = 3, filterbank: Any = None, temporal_filter: int = 3,
    temporal_origin: int = 0,
) -> Any:  # fmt: skip
    bins, count = z.shape[-2:]
    phase = np.unwrap(np.angle(z), axis=-2)
    delay = np.zeros_like(phase)
    delay[..., :-1, :] = np.abs(phase[..., :-1, :] - phase[..., 1:, :]) / np.pi
    first = [n - temporal_filter // 2 - temporal_origin for n in range(count)]
    places = [[n if n >= 0 else -n - 1 for n in range(start, start + temporal_filter)] for start in first]
    places = [[n if n < count else 2 * count - 1 - n for n in row] for row in places]
    delay = np.stack([delay[..., row].max(axis=-1) for row in places], axis=-1)
    reached = [[k] for k in range(bins)] if filterbank is None else [np.flatnonzero(f) for f in filterbank.T]
    around = [slice(max(0, part[0] - 1), part[-1] + 2) for part in reached]
    share = np.stack([delay[..., part, :].min(axis=-2) for part in around], axis=-2)
    if s is None:
        s = np.abs(z)
        s = s if filterbank is None else np.einsum("...fn,fm->...mn", s, filterbank.astype(s.dtype))
    rises = np.stack(_rises(s, lag, _widened(s, max_bins)), axis=-1)
    return (rises * share).sum(axis=-2)


def _noise(*shape: int) -> Any:
    rng = np.random.default_rng(110)
    z = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return (z * 10 ** rng.uniform(-2, 1, shape)).astype(np.complex64)


def samples(phases: bool, **options: Any) -> Callable[[], Iterator[Sample]]:
    """Spectra and, but for functions of phases, magnitudes."""

    def made() -> Iterator[Sample]:
        names = ("chirp", "white_noise", "odd_length", "stereo_batch", "speech", "music")

        def of(x: Any) -> Sample:
            z = spectrum(x, 256, 64, window(256), True)
            return Sample("", (z if phases else np.abs(z),))

        yield from each_signal(of, names)
        z = _noise(2, 3, 40, 23)
        for o in pairwise(rows=(slice(None), 0, (0, 0)), frames=(23, 3, 2, 1), complex=(True, phases), **options):
            x = z[o.pop("rows")][..., : o.pop("frames")]
            x = x if o.pop("complex") else np.abs(x)
            yield Sample(f"{o} {x.dtype}{x.shape}", (x,), o, batched=x.ndim > 3)

    return made


def _bank() -> Any:
    bank = np.zeros((40, 5), np.float32)
    for i in range(5):
        bank[7 * i : 7 * i + 9, i] = np.hanning(11)[1:-1]
    return bank


def _row(function: Callable[..., Any], phases: bool, **options: Any) -> Row:
    name = function.__name__
    why = PHASES if phases else RISES
    return Row(name, function, samples(phases, **options), why, against="librosa", ours=lazily(name))


def _flux_samples() -> Iterator[Sample]:
    yield from samples(True, lag=(1, 2), max_bins=(3, 1, 4), temporal_filter=(3, 1, 4), temporal_origin=(0,))()
    z, bank = _noise(2, 40, 23), _bank()
    for origin in (1, -1, 0):
        yield Sample(f"origin {origin}", (z,), {"filterbank": bank, "temporal_origin": origin})
    logarithms = np.log10(np.einsum("...fn,fm->...mn", np.abs(z), bank) + 1).astype(np.float32)
    yield Sample("of logarithms", (z, logarithms), {"filterbank": bank, "lag": 2})


ROWS = [
    _row(high_frequency_content, False),
    _row(spectral_flux, False, lag=(1, 2, 30)),
    _row(spectral_difference, False, lag=(1, 3)),
    _row(superflux, False, lag=(1, 2), max_bins=(3, 1, 2, 7)),
    _row(modified_kullback_leibler, False, lag=(1, 2), eps=(2.0**-52, 1e-3)),
    _row(phase_deviation, True),
    _row(weighted_phase_deviation, True),
    _row(normalized_weighted_phase_deviation, True),
    _row(complex_domain, True),
    _row(rectified_complex_domain, True, lag=(1, 2)),
    Row("complex_flux", complex_flux, _flux_samples, PHASES, against="librosa", ours=lazily("complex_flux")),
]
