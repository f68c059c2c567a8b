"""Named test signals, float32, the same on every machine."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float32]

AUDIO = Path(__file__).parent / "audio"


def _noise(*shape: int, seed: int = 0) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(shape)


def silence() -> Signal:
    return np.zeros(4000, np.float32)


def impulse() -> Signal:
    x = np.zeros(4000, np.float32)
    x[1234] = 1
    return x


def dc() -> Signal:
    return np.full(4000, 0.5, np.float32)


def chirp() -> Signal:
    t = np.arange(8000) / 8000
    return np.sin(2 * np.pi * (50 * t + 1900 * t**2)).astype(np.float32)


def white_noise() -> Signal:
    return (0.3 * _noise(8000)).astype(np.float32)


def decay_into_denormals() -> Signal:
    """Noise that falls by 1000 dB: its end lies below the smallest normal float32."""
    return (_noise(8000, seed=1) * 10 ** (-50 * np.arange(8000) / 8000)).astype(np.float32)


def nan_in_the_middle() -> Signal:
    x = white_noise()
    x[4321] = np.nan
    return x


def odd_length() -> Signal:
    return (0.3 * _noise(4801, seed=2)).astype(np.float32)


def shorter_than_a_frame() -> Signal:
    """Long enough to be mirrored by half a frame of 512 samples or fewer."""
    return (0.3 * _noise(300, seed=3)).astype(np.float32)


def stereo_batch() -> Signal:
    return (0.3 * _noise(2, 6000, seed=4)).astype(np.float32)


def non_contiguous_view() -> Signal:
    """Every third sample of a longer batch."""
    return (0.3 * _noise(2, 15000, seed=5)).astype(np.float32)[:, ::3]


@functools.cache
def recording(path: Path) -> tuple[Signal, int]:
    """Samples ``[channels, T]`` (or ``[T]``) and sample rate of an audio file."""
    import soundfile

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.ascontiguousarray(samples.T.squeeze()), rate


def speech() -> Signal:
    """All of it: what is worst about a logarithm depends on its few quietest frames."""
    return recording(AUDIO / "speech_8k.flac")[0]


def music() -> Signal:
    return recording(AUDIO / "music_48k_stereo.flac")[0][:, 48000:96000]


SIGNALS = {
    function.__name__: function
    for function in (
        silence,
        impulse,
        dc,
        chirp,
        white_noise,
        decay_into_denormals,
        nan_in_the_middle,
        odd_length,
        shorter_than_a_frame,
        stereo_batch,
        non_contiguous_view,
        speech,
        music,
    )
}
RECORDINGS = {"speech", "music"}
# the name of a person's own recording among the signals, and the name of its file
OWN = "own"
own_file = ""


def add_recording(path: Path) -> None:
    """Add the first ten seconds of an audio file to the signals, to be shown under the file's name.

    Raises:
        ValueError: less than a second, or more than two channels.
    """
    samples, rate = recording(path)
    if samples.shape[-1] < rate or (samples.ndim > 1 and len(samples) > 2):
        shape = f"{samples.shape[-1] / rate:.2g} s of {samples.size // samples.shape[-1]} channels"
        raise ValueError(f"a recording must last a second and have one or two channels, got {shape}")
    global own_file
    own_file = path.name
    SIGNALS[OWN] = lambda: samples[..., : 10 * rate]
    RECORDINGS.add(OWN)


def title(name: str) -> str:
    """What a signal is called in a report."""
    return own_file if name == OWN else name


def like_own() -> str:
    """The signal that is most like a person's own recording, and is used where that can be used."""
    return "speech" if SIGNALS[OWN]().ndim == 1 else "music"
