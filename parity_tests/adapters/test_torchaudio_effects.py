"""Effects, pitch and voice activity in torchaudio's place, beyond what rows and the generic tests measure."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("torchaudio")

import torch
import torchaudio

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as shim

from ..table.cases.torchaudio_effects import spoken
from . import likeness
from .torchaudio_modules import noise, reasons

LIBRARIES = (shim, torchaudio)


def both(name: str, **options: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Calls of a function of ours and of torchaudio's, which also give what has become of the waveform."""

    def call(library: Any) -> Callable[..., Any]:
        def called(x: Any) -> Any:
            x = x.clone(memory_format=torch.preserve_format)
            y = getattr(library.functional, name)(x, **options)
            return y.clone(), x, torch.tensor(float(y.data_ptr() == x.data_ptr()))

        return called

    ours, theirs = map(call, LIBRARIES)
    return ours, theirs


SHAPES = [noise(3, 400), noise(1, 400), noise(400), noise(2, 3, 40000), noise(3, 90).double()]


@pytest.mark.parametrize("x", SHAPES, ids=likeness.shown)
@pytest.mark.parametrize("gain", [None, 0.02, 0.5, -1.0, 2])
@pytest.mark.parametrize("shift", [0.5, -0.5, 0, 1.5, -2])
def test_shifts_are_torchaudio_s_to_the_bit(x: Any, shift: float, gain: float | None, ours: None) -> None:
    x = 0.6 * x
    x[..., 3], x[..., 4] = np.nan, np.inf
    assert not likeness.unlike("", both("dcshift", shift=shift, limiter_gain=gain), x, bound=lambda _: 0.0)
    assert (reasons() == {""}) == (shift != 0 and gain is not None)


@pytest.mark.parametrize("x", SHAPES, ids=likeness.shown)
@pytest.mark.parametrize("shaping", [False, True])
@pytest.mark.parametrize("density", ["TPDF", "RPDF", "GPDF", "other"])
def test_dithered_audio_is_torchaudio_s_to_the_bit(x: Any, density: str, shaping: bool, ours: None) -> None:
    calls = both("dither", density_function=density, noise_shaping=shaping)
    assert not likeness.unlike("", calls, 0.1 * x, bound=lambda _: 0.0)
    # of one channel, none other can be drawn
    assert reasons() == ({"the reference rejects the arguments"} if density == "GPDF" and x.numel() == 400 else {""})


def test_what_is_changed_in_place_is_torchaudio_s_error_afterwards(ours: None) -> None:
    for library in LIBRARIES:
        w = torch.full((90,), 0.5, requires_grad=True)
        x = w * 1
        y = (x * x).sum()
        with torch.no_grad():
            library.functional.dcshift(x.detach(), 0.5, 0.02)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.backward()


@pytest.mark.parametrize(
    "x",
    [
        noise(3, 90).half(),
        noise(3, 90) + 1j,
        torch.ones(3, 90, dtype=torch.int32),
        noise(90, 3).T,
        noise(1, 90).expand(3, 90),
        noise(3, 180)[:, ::2],
        noise(0, 90),
        noise(3, 0),
        noise(3, 90).requires_grad_(),
    ],
    ids=likeness.shown,
)
@pytest.mark.parametrize("gain", [None, 0.02])
def test_what_we_do_not_shift_is_torchaudio_s(x: Any, gain: float | None, ours: None) -> None:
    # a view of one number for all is written to, which no copy is
    calls = [lambda x, f=library.functional.dcshift: f(x, 0.3, gain) for library in LIBRARIES]
    if gain is None or x.requires_grad:
        assert not likeness.unlike("", (calls[0], calls[1]), x, bound=lambda _: 0.0)
    else:
        assert not likeness.unlike("", both("dcshift", shift=0.3, limiter_gain=gain), x, bound=lambda _: 0.0)


def test_effects_of_what_torch_verifies(ours: None) -> None:
    with compat.numerics("verify"):
        shim.functional.dither(noise(2, 90))
        shim.functional.flanger(0.1 * noise(2, 90), 4000, regen=-60.0)
        shim.functional.phaser(0.1 * noise(2, 90), 4000)
        shim.functional.detect_pitch_frequency(noise(2, 4000), 8000)
        shim.functional.vad(torch.from_numpy(spoken(1.0)), 8000)
    assert reasons() == {""}
    for density in ("RPDF", "GPDF"):
        compat.reset()
        with compat.numerics("verify"):
            shim.functional.dither(noise(2, 90), density)
        assert "a second run would" in next(iter(reasons()))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_spoils_what_it_spoils_there(bad: float, ours: None) -> None:
    x = 0.1 * noise(2, 300)
    x[1, 100] = bad
    tried: dict[str, dict[str, Any]] = {
        "flanger": {"sample_rate": 4000, "regen": 30.0},
        "phaser": {"sample_rate": 4000},
        "dither": {},
    }
    for name, options in tried.items():
        functions = tuple(getattr(library.functional, name) for library in LIBRARIES)
        assert not likeness.unlike(f"torchaudio.functional.{name}", functions, x, **options)
    x = noise(2, 4000)
    x[1, 2000] = bad
    functions = tuple(library.functional.detect_pitch_frequency for library in LIBRARIES)
    assert not likeness.unlike("", functions, x, 8000, bound=lambda _: 0.0)
    assert "" not in reasons()
    functions = tuple(library.functional.vad for library in LIBRARIES)
    assert not likeness.unlike("", functions, x, 8000, bound=lambda _: 0.0)


def test_a_pitch_of_a_periodic_signal_is_its_first_period(ours: None) -> None:
    x = noise(40).repeat(200)
    for kind in (torch.float32, torch.float64):
        pitch = shim.functional.detect_pitch_frequency(x.to(kind), 16000)
        assert (pitch[: len(pitch) // 2] == 400).all()
        assert pitch.dtype == torch.float32


def test_of_silence_every_pitch_is_the_highest(ours: None) -> None:
    functions = tuple(library.functional.detect_pitch_frequency for library in LIBRARIES)
    assert not likeness.unlike("", functions, torch.zeros(2, 8000), 16000, bound=lambda _: 0.0)
    assert reasons() == {""}


@pytest.mark.parametrize(("level", "served"), [(1e-38, False), (1e-20, False), (1e-9, True), (1e12, True)])
def test_pitches_of_squares_that_vanish_are_torchaudio_s(level: float, served: bool, ours: None) -> None:
    functions = tuple(library.functional.detect_pitch_frequency for library in LIBRARIES)
    assert not likeness.unlike("", functions, level * noise(2, 4000), 8000, bound=lambda _: 0.0)
    assert ("" in reasons()) == served


@pytest.mark.parametrize("delay", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("depth", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("interpolation", ["linear", "quadratic"])
def test_delays_of_few_samples_are_torchaudio_s(delay: float, depth: float, interpolation: str, ours: None) -> None:
    functions = tuple(library.functional.flanger for library in LIBRARIES)
    options: dict[str, Any] = {
        "delay": delay,
        "depth": depth,
        "regen": 50.0,
        "speed": 9.0,
        "interpolation": interpolation,
    }
    x = 0.1 * noise(2, 4, 200)
    assert not likeness.unlike("torchaudio.functional.flanger", functions, x, 2000, **options)
    assert reasons() == {""}


def test_the_beginning_of_speech_is_a_view_of_the_waveform(ours: None) -> None:
    for x in (torch.from_numpy(spoken(1.0, 2)), torch.from_numpy(spoken(1.0)[0]), torch.zeros(2, 8000)):
        mine, theirs = (library.functional.vad(x, 8000, pre_trigger_time=0.1) for library in LIBRARIES)
        assert mine.data_ptr() == theirs.data_ptr()
        assert mine.shape == theirs.shape
        assert mine.stride() == theirs.stride()
    assert reasons() == {""}


@pytest.mark.parametrize("seed", range(20))
def test_speech_begins_where_torchaudio_has_it_begin(seed: int, ours: None) -> None:
    rng = np.random.default_rng(seed)
    level = 10 ** np.interp(np.arange(24000), [0, *np.sort(rng.integers(0, 24000, 6)), 24000], rng.uniform(-4, 0, 8))
    voice = np.cumsum(rng.standard_normal((2, 24000)), -1) % 1 - 0.5 + np.sin(np.arange(24000) * 0.09)
    x = torch.from_numpy((0.2 * level * voice).astype(np.float32))
    functions = tuple(library.functional.vad for library in LIBRARIES)
    options = {"trigger_level": rng.uniform(1, 9), "search_time": 0.6, "allowed_gap": 0.1, "pre_trigger_time": 0.02}
    assert not likeness.unlike("", functions, x, 8000, bound=lambda _: 0.0, **options)
    assert reasons() == {""}


def test_modules_are_torchaudio_s(ours: None) -> None:
    x, made, theirs = torch.from_numpy(spoken(1.0)), shim.transforms.Vad(8000), torchaudio.transforms.Vad(8000)
    assert isinstance(made, torchaudio.transforms.Vad)
    for module in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert torch.equal(module(x), theirs(x))
    assert type(pickle.loads(pickle.dumps(made))).__module__.startswith("torchaudio")
    made.pre_trigger_time = theirs.pre_trigger_time = 0.3
    assert torch.equal(made(x), theirs(x))
