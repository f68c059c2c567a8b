"""hpss, harmonic and percussive of librosa.effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...contract import tolerances
from ...contract.function import Work
from .._adapter import adapter
from .._arguments import Array
from .._core.spectrum import istft, stft
from .._decompose import separation

# librosa gives its transforms no window, whichever it is told
_SEPARATING = "kernel_size", "power", "mask", "margin"
_OF_ISTFT = "n_fft", "hop_length", "win_length", "center"
_OF_STFT = (*_OF_ISTFT, "pad_mode")


def _plan(arguments: dict[str, Any], of_parts: Callable[[Any, Any], Any]) -> Work:
    """``of_parts`` of the spectrum's parts and of what makes audio of one, by the arguments of an effect."""
    y: Array = arguments["y"]
    options = separation(*(arguments[name] for name in _SEPARATING))
    transform = stft.plan(y, **{name: arguments[name] for name in _OF_STFT})
    back = {name: arguments[name] for name in _OF_ISTFT}

    def work() -> Any:
        spectrum = transform()
        options.check(spectrum.shape)
        return of_parts(options.of(spectrum), lambda part: istft(part, dtype=y.dtype, length=y.shape[-1], **back))

    return work


@adapter("librosa.effects.hpss", tolerances.energy)
def hpss(
    y: Array,
    *,
    kernel_size: Any = 31,
    power: float = 2.0,
    mask: bool = False,
    margin: Any = 1.0,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
) -> Work:
    """librosa.effects.hpss. Same arguments, same defaults."""
    return _plan(locals(), lambda parts, audio: tuple(map(audio, parts)))


@adapter("librosa.effects.harmonic", tolerances.energy)
def harmonic(
    y: Array,
    *,
    kernel_size: Any = 31,
    power: float = 2.0,
    mask: bool = False,
    margin: Any = 1.0,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
) -> Work:
    """librosa.effects.harmonic. Same arguments, same defaults."""
    return _plan(locals(), lambda parts, audio: audio(parts[0]))


@adapter("librosa.effects.percussive", tolerances.energy)
def percussive(
    y: Array,
    *,
    kernel_size: Any = 31,
    power: float = 2.0,
    mask: bool = False,
    margin: Any = 1.0,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
) -> Work:
    """librosa.effects.percussive. Same arguments, same defaults."""
    return _plan(locals(), lambda parts, audio: audio(parts[1]))
