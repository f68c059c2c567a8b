"""python -m benchmarks.shares FILE [NAME ...]: which share of its time each function of librosa spends in what is ours.

A call is made twice under ``install()``. The first tells which calls of functions of ours, the function's own or those
that it makes, we serve. The second is librosa's, under ``numerics("strict")``, and times those: the share of librosa's
own time that ours takes the place of. With names, what there is in the file of other functions stays.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import librosa
import numpy as np
import scipy.ndimage

from mlx_spectro import compat
from mlx_spectro.compat.contract.adapter import adapters
from mlx_spectro.compat.diagnostics.tables import versions
from mlx_spectro.ops import backend
from parity_tests.table.__main__ import choose_device

SECONDS, RATE = 10, 22050
# measurements of a call, and of one that takes longer than so many seconds
_TIMES, _LONG = 3, 0.3


def _music() -> Any:
    """Chords of harmonics that change twice a second, over noise."""
    rng, t = np.random.default_rng(0), np.arange(SECONDS * RATE) / RATE
    chord = np.array([[110, 220, 277, 330], [98, 196, 247, 294]])[(2 * t).astype(int) % 2].T
    tones = sum(np.sin(2 * np.pi * k * chord * t) / k for k in range(1, 6)).sum(axis=0)
    y = tones * np.exp(-4 * (t % 0.5)) / 8 + 0.01 * rng.standard_normal(t.size)
    return y.astype(np.float32)


def calls() -> dict[str, Callable[[], Any]]:
    """A call of each public function that computes with signals or what is made of them, with its defaults."""
    y = _music()
    z = librosa.stft(y)
    s = np.abs(z)
    power, c = s**2, librosa.cqt(y)
    levels, hz = np.abs(c), librosa.fft_frequencies()
    mel = librosa.feature.melspectrogram(y=y)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel))
    chroma, envelope = librosa.feature.chroma_stft(S=power), librosa.onset.onset_strength(y=y)
    tempogram = librosa.feature.tempogram(onset_envelope=envelope)
    similar = librosa.segment.recurrence_matrix(mfcc, mode="affinity")
    pitch = np.full(s.shape[1], 220.0)
    loud = y / np.abs(y).max()
    codes = librosa.mu_compress(loud)
    onsets = librosa.onset.onset_detect(onset_envelope=envelope)
    likely = np.random.default_rng(1).dirichlet(np.ones(24), s.shape[1]).T
    moves = librosa.sequence.transition_loop(24, 0.9)
    note, other = 65.4, 2093.0
    few: dict[str, Any] = {"n_iter": 2}
    slices = np.stack([onsets[:-1], onsets[1:]], axis=1) * 512
    dated = librosa.segment.timelag_filter(scipy.ndimage.median_filter)
    found: dict[str, Callable[[], Any]] = {
        "amplitude_to_db": lambda: librosa.amplitude_to_db(s),
        "autocorrelate": lambda: librosa.autocorrelate(y),
        "clicks": lambda: librosa.clicks(frames=onsets),
        "cqt": lambda: librosa.cqt(y),
        "db_to_amplitude": lambda: librosa.db_to_amplitude(mel),
        "db_to_power": lambda: librosa.db_to_power(mel),
        "estimate_tuning": lambda: librosa.estimate_tuning(y=y),
        "f0_harmonics": lambda: librosa.f0_harmonics(s, f0=pitch, freqs=hz, harmonics=[1, 2, 3]),
        "fmt": lambda: librosa.fmt(y),
        "griffinlim": lambda: librosa.griffinlim(s, **few),
        "griffinlim_cqt": lambda: librosa.griffinlim_cqt(levels, **few),
        "hybrid_cqt": lambda: librosa.hybrid_cqt(y),
        "icqt": lambda: librosa.icqt(c),
        "iirt": lambda: librosa.iirt(y),
        "interp_harmonics": lambda: librosa.interp_harmonics(s, freqs=hz, harmonics=[1, 2, 3]),
        "istft": lambda: librosa.istft(z),
        "lpc": lambda: librosa.lpc(y, order=16),
        "magphase": lambda: librosa.magphase(z),
        "mu_compress": lambda: librosa.mu_compress(loud),
        "mu_expand": lambda: librosa.mu_expand(codes),
        "pcen": lambda: librosa.pcen(mel),
        "perceptual_weighting": lambda: librosa.perceptual_weighting(power, hz),
        "phase_vocoder": lambda: librosa.phase_vocoder(z, rate=1.2),
        "piptrack": lambda: librosa.piptrack(S=s),
        "pitch_tuning": lambda: librosa.pitch_tuning(np.repeat(pitch, 100)),
        "power_to_db": lambda: librosa.power_to_db(power),
        "pseudo_cqt": lambda: librosa.pseudo_cqt(y),
        "pyin": lambda: librosa.pyin(y, fmin=note, fmax=other),
        "reassigned_spectrogram": lambda: librosa.reassigned_spectrogram(y),
        "resample": lambda: librosa.resample(y, orig_sr=RATE, target_sr=16000),
        "salience": lambda: librosa.salience(s, freqs=hz, harmonics=[1, 2, 3]),
        "stft": lambda: librosa.stft(y),
        "to_mono": lambda: librosa.to_mono(np.stack([y, y])),
        "vqt": lambda: librosa.vqt(y),
        "yin": lambda: librosa.yin(y, fmin=note, fmax=other),
        "zero_crossings": lambda: librosa.zero_crossings(y),
        "beat.beat_track": lambda: librosa.beat.beat_track(y=y),
        "beat.plp": lambda: librosa.beat.plp(y=y),
        "beat.tempo": lambda: librosa.feature.tempo(y=y),
        "decompose.decompose": lambda: librosa.decompose.decompose(s, n_components=4),
        "decompose.hpss": lambda: librosa.decompose.hpss(z),
        "decompose.nn_filter": lambda: librosa.decompose.nn_filter(chroma),
        "effects.deemphasis": lambda: librosa.effects.deemphasis(y),
        "effects.harmonic": lambda: librosa.effects.harmonic(y),
        "effects.hpss": lambda: librosa.effects.hpss(y),
        "effects.percussive": lambda: librosa.effects.percussive(y),
        "effects.pitch_shift": lambda: librosa.effects.pitch_shift(y, sr=RATE, n_steps=4),
        "effects.preemphasis": lambda: librosa.effects.preemphasis(y),
        "effects.remix": lambda: librosa.effects.remix(y, slices, align_zeros=False),
        "effects.split": lambda: librosa.effects.split(y),
        "effects.time_stretch": lambda: librosa.effects.time_stretch(y, rate=1.2),
        "effects.trim": lambda: librosa.effects.trim(y),
        "feature.delta": lambda: librosa.feature.delta(mfcc),
        "feature.rms": lambda: librosa.feature.rms(y=y),
        "feature.stack_memory": lambda: librosa.feature.stack_memory(mfcc, n_steps=4),
        "feature.tempogram": lambda: librosa.feature.tempogram(y=y),
        "feature.tempogram_ratio": lambda: librosa.feature.tempogram_ratio(tg=tempogram),
        "feature.zero_crossing_rate": lambda: librosa.feature.zero_crossing_rate(y),
        "feature.inverse.mel_to_audio": lambda: librosa.feature.inverse.mel_to_audio(mel, **few),
        "feature.inverse.mel_to_stft": lambda: librosa.feature.inverse.mel_to_stft(mel),
        "feature.inverse.mfcc_to_audio": lambda: librosa.feature.inverse.mfcc_to_audio(mfcc, **few),
        "feature.inverse.mfcc_to_mel": lambda: librosa.feature.inverse.mfcc_to_mel(mfcc),
        "onset.onset_backtrack": lambda: librosa.onset.onset_backtrack(onsets, envelope),
        "onset.onset_detect": lambda: librosa.onset.onset_detect(y=y),
        "onset.onset_strength": lambda: librosa.onset.onset_strength(y=y),
        "onset.onset_strength_multi": lambda: librosa.onset.onset_strength_multi(y=y, channels=[0, 32, 64, 128]),
        "segment.agglomerative": lambda: librosa.segment.agglomerative(mfcc, 20),
        "segment.cross_similarity": lambda: librosa.segment.cross_similarity(mfcc, mfcc[:, :200]),
        "segment.lag_to_recurrence": lambda: librosa.segment.lag_to_recurrence(similar),
        "segment.path_enhance": lambda: librosa.segment.path_enhance(similar, 31),
        "segment.recurrence_matrix": lambda: librosa.segment.recurrence_matrix(mfcc),
        "segment.recurrence_to_lag": lambda: librosa.segment.recurrence_to_lag(similar),
        "segment.subsegment": lambda: librosa.segment.subsegment(mfcc, np.arange(0, mfcc.shape[1], 40)),
        "segment.timelag_filter": lambda: dated(similar, size=(1, 7)),
        "sequence.dtw": lambda: librosa.sequence.dtw(chroma, chroma[:, ::2]),
        "sequence.rqa": lambda: librosa.sequence.rqa(similar),
        "sequence.viterbi": lambda: librosa.sequence.viterbi(likely, moves),
        "sequence.viterbi_discriminative": lambda: librosa.sequence.viterbi_discriminative(likely, moves),
        "util.nnls": lambda: librosa.util.nnls(mel[:, :20], mel[:, 20:40]),
        "util.normalize": lambda: librosa.util.normalize(s),
        "util.softmask": lambda: librosa.util.softmask(s, power),
    }
    of_audio = [
        *("chroma_cens", "chroma_cqt", "chroma_stft", "fourier_tempogram", "melspectrogram", "mfcc", "poly_features"),
        *("spectral_bandwidth", "spectral_centroid", "spectral_contrast", "spectral_flatness", "spectral_rolloff"),
        *("tempo", "tonnetz"),
    ]
    for name in of_audio:
        found[f"feature.{name}"] = partial(getattr(librosa.feature, name), y=y)
    found["feature.chroma_vqt"] = lambda: librosa.feature.chroma_vqt(y=y, intervals="ji5")
    return {f"librosa.{name}": call for name, call in found.items()}


def _served(call: Callable[[], Any]) -> set[str]:
    """Functions whose calls we serve, all of them, in a call: its own, or those that it makes."""
    compat.reset()
    call()
    reasons: dict[str, set[str]] = {}
    for record in compat.report():
        reasons.setdefault(record.function, set()).add(record.reason)
    return {name for name, said in reasons.items() if said == {""}}


class _Watch:
    """The time that is spent in functions, once for those that call each other."""

    def __init__(self) -> None:
        self.seconds, self._depth = 0.0, 0

    def over(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._depth += 1
            begin = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.process_time() - begin

        return timed


def share(name: str, call: Callable[[], Any]) -> dict[str, Any]:
    """Milliseconds of a call of librosa's, the share of it that is ours, and in which functions."""
    served = _served(call)
    found: list[tuple[float, float]] = []
    while len(found) < _TIMES and not (found and found[0][0] > _LONG):
        watch = _Watch()
        with compat.numerics("strict"):
            patches = [mock.patch.object(adapters[one].function, "theirs", _over(watch, one)) for one in served]
            for patch in patches:
                patch.start()
            begin = time.process_time()
            try:
                call()
            finally:
                whole = time.process_time() - begin
                for patch in patches:
                    patch.stop()
        found.append((whole, watch.seconds))
    whole, inside = min(found)
    result = {"ms": round(1e3 * whole, 2), "share": 1.0 if name in served else round(inside / whole, 3)}
    return {**result, "in": sorted(served)}


def _over(watch: _Watch, name: str) -> Callable[..., Any]:
    return watch.over(adapters[name].function.theirs)


def main(file: Path, *only: str) -> None:
    """Measure all functions, or those whose names contain one of ``only``, and write the figures to ``file``."""
    known = json.loads(file.read_text(encoding="utf-8"))["shares"] if only else {}
    compat.install("librosa")
    with warnings.catch_warnings(), backend.implementation("host"):
        warnings.simplefilter("ignore")
        made = calls()
        wanted = [name for name in sorted(made) if not only or any(part in name for part in only)]
        found = {name: one for name, one in known.items() if name in made}
        found |= {name: share(name, made[name]) for name in wanted}
    about = {"device": choose_device("cpu"), "versions": versions(), "seconds": SECONDS, "rate": RATE}
    file.write_text(json.dumps({**about, "shares": dict(sorted(found.items()))}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
