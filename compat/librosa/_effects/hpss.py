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


def _plan(
    y: Array, separating: tuple[Any, Any, Any, Any], framing: dict[str, Any], of_parts: Callable[[Any, Any], Any]
) -> Work:
    """``of_parts`` of the spectrum's parts and of what makes audio of one.

    Args:
        separating: Arguments of :func:`separation`.
        framing: Options of both transforms. librosa gives them no window, whichever it is told.
    """
    options = separation(*separating)
    transform = stft.plan(y, **framing)
    back = {name: value for name, value in framing.items() if name != "pad_mode"}

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
    framing = {"n_fft": n_fft, "hop_length": hop_length, "win_length": win_length, "center": center}
    options = (kernel_size, power, mask, margin)
    return _plan(y, options, framing | {"pad_mode": pad_mode}, lambda parts, audio: tuple(map(audio, parts)))


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
    framing = {"n_fft": n_fft, "hop_length": hop_length, "win_length": win_length, "center": center}
    options = (kernel_size, power, mask, margin)
    return _plan(y, options, framing | {"pad_mode": pad_mode}, lambda parts, audio: audio(parts[0]))


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
    framing = {"n_fft": n_fft, "hop_length": hop_length, "win_length": win_length, "center": center}
    options = (kernel_size, power, mask, margin)
    return _plan(y, options, framing | {"pad_mode": pad_mode}, lambda parts, audio: audio(parts[1]))
