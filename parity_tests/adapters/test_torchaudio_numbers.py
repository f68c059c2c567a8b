"""A number in another form, NumPy's or a tensor's, is what it is to torchaudio, which may calculate with it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")

from mlx_spectro.compat import torchaudio as our_torchaudio
from mlx_spectro.compat.contract.adapter import adapters

from . import likeness

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ours")]

rng = np.random.default_rng(0)
AUDIO = torch.from_numpy(rng.uniform(-0.5, 0.5, (2, 900)).astype(np.float32))
SPECTRUM = torch.stft(AUDIO, 16, 4, window=torch.hann_window(16), return_complex=True)
SPEECH = AUDIO.repeat(1, 4) * torch.where(torch.arange(3600) < 1500, 0.02, 1.0)
_FEEDBACK, _FEEDFORWARD = torch.tensor([1.0, -0.4, 0.1]), torch.tensor([0.5, 0.2, 0.1])
_DESIGN = {"waveform": AUDIO, "sample_rate": 16000, "Q": 0.7}
_FLANGED = {"delay": 1.0, "depth": 2.0, "regen": 20.0, "width": 60.0, "speed": 5.0, "phase": 25.0}
_PHASED = {"gain_in": 0.4, "gain_out": 0.7, "delay_ms": 3.0, "decay": 0.4, "mod_speed": 5.0}
_SHIFT = {"sample_rate": 100, "n_steps": 7, "bins_per_octave": 7, "n_fft": 16, "win_length": 16, "hop_length": 4}
_GRIFFIN_LIM = {"n_fft": 16, "hop_length": 4, "win_length": 16, "power": 1.3, "n_iter": 2, "momentum": 0.7}
# Decimal fractions whose product with a whole number is another one in single precision: 0.9 of 16000, 0.7 of 10. The
# arguments of a function, or of a class those that it is made with, and those of its call.
CALLS: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    **{f"functional.{name}_biquad": ({**_DESIGN, "central_freq": 900.0}, ()) for name in ("allpass", "band")},
    **{f"functional.{name}_biquad": ({**_DESIGN, "central_freq": 900.0}, ()) for name in ("bandpass", "bandreject")},
    **{f"functional.{name}_biquad": ({**_DESIGN, "cutoff_freq": 900.0}, ()) for name in ("highpass", "lowpass")},
    **{
        f"functional.{name}_biquad": ({**_DESIGN, "central_freq": 900.0, "gain": 3.0}, ())
        for name in ("bass", "treble")
    },
    "functional.equalizer_biquad": ({**_DESIGN, "center_freq": 900.0, "gain": -3.0}, ()),
    **{f"functional.{name}_biquad": ({"waveform": AUDIO, "sample_rate": 44100}, ()) for name in ("deemph", "riaa")},
    "functional.lfilter": ({"waveform": AUDIO, "a_coeffs": _FEEDBACK, "b_coeffs": _FEEDFORWARD, "clamp": True}, ()),
    "functional.preemphasis": ({"waveform": AUDIO, "coeff": 0.97}, ()),
    "functional.deemphasis": ({"waveform": AUDIO, "coeff": 0.9}, ()),
    "functional.loudness": ({"waveform": SPEECH.repeat(1, 3), "sample_rate": 16000}, ()),
    "functional.overdrive": ({"waveform": AUDIO, "gain": 20.0, "colour": 30.0}, ()),
    "functional.dcshift": ({"waveform": AUDIO, "shift": 0.3, "limiter_gain": 0.05}, ()),
    "functional.flanger": ({"waveform": AUDIO[None, :, :60], "sample_rate": 4000, **_FLANGED}, ()),
    "functional.phaser": ({"waveform": AUDIO[:, :90], "sample_rate": 4000, **_PHASED}, ()),
    "functional.vad": ({"waveform": SPEECH, "sample_rate": 1000, "hp_filter_freq": 50.0, "lp_filter_freq": 400.0}, ()),
    "functional.detect_pitch_frequency": (
        {
            "waveform": SPEECH,
            "sample_rate": 4000,
            "frame_time": 0.02,
            "win_length": 5,
            "freq_low": 85,
            "freq_high": 900,
        },
        (),
    ),
    "functional.phase_vocoder": (
        {"complex_specgrams": SPECTRUM, "rate": 1.3, "phase_advance": torch.linspace(0, 6, 9)[:, None]},
        (),
    ),
    "functional.pitch_shift": ({"waveform": AUDIO, **_SHIFT}, ()),
    "functional.griffinlim": (
        {
            "specgram": SPECTRUM.abs(),
            "window": torch.hann_window(16),
            **_GRIFFIN_LIM,
            "length": 900,
            "rand_init": True,
        },
        (),
    ),
    "functional.resample": ({"waveform": AUDIO, "orig_freq": 9, "new_freq": 7, "rolloff": 0.7, "beta": 9.3}, ()),
    "functional.speed": ({"waveform": AUDIO, "orig_freq": 16000, "factor": 0.9}, ()),
    "functional.mask_along_axis": (
        {"specgram": SPECTRUM.abs()[..., :10], "mask_param": 9, "mask_value": 0.1, "axis": 2, "p": 0.7},
        (),
    ),
    "functional.mask_along_axis_iid": (
        {"specgrams": SPECTRUM.abs()[..., :10], "mask_param": 9, "mask_value": 0.1, "axis": 2, "p": 0.7},
        (),
    ),
    "transforms.TimeMasking": ({"time_mask_param": 9, "p": 0.7}, (SPECTRUM.abs()[..., :10],)),
    "transforms.SpecAugment": (
        {"n_time_masks": 2, "time_mask_param": 9, "n_freq_masks": 1, "freq_mask_param": 9, "p": 0.7},
        (SPECTRUM.abs()[..., :10],),
    ),
    "transforms.TimeStretch": ({"hop_length": 4, "n_freq": 9, "fixed_rate": 1.3}, (SPECTRUM,)),
    "transforms.PitchShift": (_SHIFT, (AUDIO,)),
    "transforms.GriffinLim": ({**_GRIFFIN_LIM, "length": 900}, (SPECTRUM.abs(),)),
    "transforms.Resample": ({"orig_freq": 9, "new_freq": 7, "rolloff": 0.7}, (AUDIO,)),
    "transforms.Speed": ({"orig_freq": 16000, "factor": 0.9}, (AUDIO,)),
    "transforms.Preemphasis": ({"coeff": 0.97}, (AUDIO,)),
    "transforms.Deemphasis": ({"coeff": 0.9}, (AUDIO,)),
    "transforms.Loudness": ({"sample_rate": 16000}, (SPEECH.repeat(1, 3),)),
    "transforms.Vad": ({"sample_rate": 1000, "lp_filter_freq": 400.0}, (SPEECH,)),
}


class Number(float):
    """A program's own number."""


def forms(value: float) -> list[Any]:
    others = [torch.tensor(value, dtype=dtype) for dtype in (torch.float32, torch.float64, torch.float16)]
    others += [np.float64(value), np.float32(value), np.float16(value), np.array(value), torch.tensor([value])]
    if value == int(value):
        others += [torch.tensor(int(value)), torch.tensor(int(value), dtype=torch.int32)]
        others += [np.int64(value), np.int32(value)] + ([np.uint8(value)] if 0 < value < 256 else [])
    return [*others, Number(value), str(value), -value]


def caller(library: Any, name: str, inputs: tuple[Any, ...]) -> Callable[..., Any]:
    room, last = name.split(".")
    of = getattr(getattr(library, room), last)

    def call(**options: Any) -> Any:
        # a limiter changes what it is given
        given = {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in options.items()}
        return of(**given)(*inputs) if isinstance(of, type) else of(**given)

    return call


@pytest.fixture(autouse=True)
def each_time() -> Iterator[None]:
    with likeness.every_warning():
        yield


@pytest.mark.parametrize("name", CALLS)
def test_a_number_in_any_form_does_as_torchaudio_s(name: str) -> None:
    options, inputs = CALLS[name]
    calls = caller(our_torchaudio, name, inputs), caller(torchaudio, name, inputs)
    public = f"torchaudio.{name}"
    signature = inspect.signature(adapters[public].original)
    calls[0](**options)
    assert (public, "") in likeness.reasons()
    wrong = []
    for key, value in options.items():
        assert key in signature.parameters
        if type(value) in (int, float):
            for one in forms(value):
                unlike = likeness.unlike(public, calls, bound=lambda largest: 1e-3 * largest, **{**options, key: one})
                wrong += [f"{key}={likeness.shown(one)}: {unlike}"] if unlike else []
    assert wrong == []
