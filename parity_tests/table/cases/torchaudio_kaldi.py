"""Kaldi's features of speech, as torchaudio has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import HeavyTail, Reject, Row, Sample, Timing, each_signal, pairwise
from ..signals import SIGNALS

WHY = "logarithms of sums of squares over a float32 spectrum, of frames without their mean"
BANKS = "torchaudio's own, to the bit"
_X = (np.random.default_rng(92).standard_normal((2, 5001)) * 1000).astype(np.float32)
_FRAMES: dict[str, tuple[Any, ...]] = {
    "channel": (-1, 1),
    "energy_floor": (1.0, 0.0, 1e6),
    "frame_length": (25.0, 32.0, 20.7),
    "frame_shift": (10.0, 12.4, 70.0),
    "preemphasis_coefficient": (0.97, 0.0),
    "raw_energy": (True, False),
    "remove_dc_offset": (True, False),
    "round_to_power_of_two": (True, False),
    "sample_frequency": (16000.0, 8000.0),
    "snip_edges": (True, False),
    "subtract_mean": (False, True),
    "window_type": ("povey", "hamming", "hanning", "rectangular", "blackman"),
}
_FILTERS: dict[str, tuple[Any, ...]] = {
    "high_freq": (0.0, -400.0),
    "htk_compat": (False, True),
    "low_freq": (20.0, 64.0),
    "num_mel_bins": (23, 40, 80),
    "use_energy": (False, True),
    "vtln_warp": (1.0, 1.1),
}
_ENDINGS: dict[str, tuple[Any, ...]] = {"use_log_fbank": (True, False), "use_power": (True, False)}
_CEPSTRA: dict[str, tuple[Any, ...]] = {"cepstral_lifter": (22.0, 0.0), "num_ceps": (13, 20)}


def _samples(**options: Any) -> Iterator[Sample]:
    def of_signal(x: Any) -> Sample:
        return Sample("", (x if x.ndim == 2 else x[None],))

    # of three axes there is no channel, and of a constant there is nothing left
    yield from each_signal(
        of_signal, (name for name in SIGNALS if name not in ("stereo_batch", "shorter_than_a_frame"))
    )
    for o in pairwise(**options):
        # whole frames of an odd length have no transform
        if not o["round_to_power_of_two"]:
            o["frame_length"] = 25.0
        yield Sample(f"{o}", (_X,), o)


def _bank_samples() -> Iterator[Sample]:
    names = ("window_length_padded", "sample_freq", "low_freq", "high_freq", "vtln_low", "vtln_high")
    for o in pairwise(num_bins=(4, 23, 80), sizes=((512, 16000.0), (256, 8000)), vtln_warp_factor=(1.0, 0.9)):
        ranges = dict(zip(names, (*o.pop("sizes"), 20.0, 0.0, 100.0, -500.0), strict=True))
        yield Sample(f"{o}", (), {**o, **ranges})


def _timed(filters: int) -> Callable[[int, int, int, int], Sample]:
    def sample(_batch: int, length: int, _n_fft: int, _hop: int) -> Sample:
        x = np.random.default_rng(0).standard_normal((1, length), np.float32)
        return Sample("", (x,), {"num_mel_bins": filters} if filters else {})

    return sample


_REJECTS = (
    Reject("shorter than a frame", (_X[:, :300],), {}, "AssertionError"),
    Reject("a channel that is not there", (_X,), {"channel": 2}, "AssertionError"),
    Reject("an odd frame", (_X,), {"frame_length": 24.95, "round_to_power_of_two": False}, "AssertionError"),
    Reject("no shift", (_X,), {"frame_shift": 0.01}, "AssertionError"),
    Reject("too much emphasis", (_X,), {"preemphasis_coefficient": 1.5}, "AssertionError"),
    Reject("an unknown window", (_X,), {"window_type": "hann"}, "Exception"),
    Reject("a negative floor", (_X,), {"energy_floor": -1.0}, "ValueError"),
    Reject("no channels", (_X[0],), {}, "IndexError"),
    Reject("an array of channels", (_X.reshape(2, 3, -1),), {}, "AssertionError"),
)
_NO_FILTERS = (
    Reject("three filters", (_X,), {"num_mel_bins": 3}, "AssertionError"),
    Reject("frequencies in the wrong order", (_X,), {"low_freq": 9000.0}, "AssertionError"),
    Reject("a warp beyond its range", (_X,), {"vtln_warp": 1.1, "vtln_low": 10.0}, "AssertionError"),
)
_MORE = (Reject("more coefficients than filters", (_X,), {"num_ceps": 24}, "AssertionError"),)

_row = partial(Row, against="torchaudio")


def _named(name: str, samples: Any, filters: int, rejects: tuple[Reject, ...]) -> Row:
    name = f"torchaudio.compliance.kaldi.{name}"
    # an energy may be anything down to the least of which a logarithm is taken
    return _row(name, name, samples, WHY, rejects=rejects, judged=HeavyTail(), timing=Timing(_timed(filters)))


ROWS = [
    _named("spectrogram", partial(_samples, **_FRAMES), 0, _REJECTS),
    _named("fbank", partial(_samples, **_FRAMES, **_FILTERS, **_ENDINGS), 80, _REJECTS + _NO_FILTERS),
    _named("mfcc", partial(_samples, **_FRAMES, **_FILTERS, **_CEPSTRA), 0, _REJECTS + _NO_FILTERS + _MORE),
    _row(
        "torchaudio.compliance.kaldi.get_mel_banks",
        "torchaudio.compliance.kaldi.get_mel_banks",
        _bank_samples,
        BANKS,
        rejects=(Reject("three filters", (3, 512, 16000.0, 20.0, 0.0, 100.0, -500.0, 1.0), {}, "AssertionError"),),
    ),
]
