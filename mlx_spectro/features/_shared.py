"""What the feature functions share: spectrograms, constants, and the axis that a single signal does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx

from ..design.epilogues import Epilogue
from ..design.framing import Framing
from ..design.operators import Cepstrum, ClippedFilterbank, Filterbank, Spectrogram
from ..ops import backend
from ..ops.apply import apply
from . import _inputs, _replay
from .stft import SpectralTransform, get_transform_mlx


def shared_transform(
    n_fft: int,
    hop_length: int,
    win_length: int | None = None,
    window_fn: str = "hann",
    center: bool = True,
    center_pad_mode: Any = "reflect",
    center_tail_pad: Any = "symmetric",
    *,
    periodic: bool = True,
    normalized: bool = False,
) -> SpectralTransform:
    """The shared transform of these parameters; see :class:`SpectralTransform`."""
    return get_transform_mlx(
        n_fft=n_fft,
        hop_length=hop_length,
        win_length=n_fft if win_length is None else win_length,
        window_fn=window_fn,
        periodic=periodic,
        center=center,
        normalized=normalized,
        window=None,
        center_pad_mode=center_pad_mode,
        center_tail_pad=center_tail_pad,
    )


def audio_of(transform: SpectralTransform, x: mx.array) -> tuple[mx.array, mx.array, Framing]:
    """Audio with a batch axis, the window and where the frames lie.

    A feature has a value for a signal of any length: one that its padding cannot mirror has zeros at both ends.
    """
    audio = _inputs.as_audio(x)
    length = audio.shape[-1]
    audio, framing = _inputs.extended(audio, transform.framing(length).fitted(length, "constant"))
    return audio, transform.window, framing


def _scale(transform: SpectralTransform) -> float:
    return transform.n_fft**-0.5 if transform.normalized else 1.0


def spectrogram(transform: SpectralTransform, x: mx.array, power: float = 1.0) -> mx.array:
    """Spectrogram ``[..., N, F]`` of audio ``[..., T]``; ``[T]`` counts as a batch of one."""
    audio, window, framing = audio_of(transform, x)
    return apply(Spectrogram(framing, power, _scale(transform)), audio, window)


def filterbank(
    transform: SpectralTransform,
    x: mx.array,
    bank: mx.array,
    power: float = 1.0,
    *,
    epilogue: Epilogue | None = None,
    top_db: float | None = None,
    packed: bool = False,
) -> mx.array:
    """Filtered spectrogram ``[..., N, filters]`` of audio ``[..., T]``; ``[T]`` counts as a batch of one.

    The options are those of :class:`.operators.Filterbank` and :class:`.operators.ClippedFilterbank`.
    """
    audio, window, framing = audio_of(transform, x)
    op = Filterbank(framing, power, _scale(transform), epilogue)
    return apply(op if top_db is None else ClippedFilterbank(op, top_db, packed), audio, window, bank)


def cepstrum(
    transform: SpectralTransform,
    x: mx.array,
    bank: mx.array,
    basis: mx.array,
    power: float,
    *,
    epilogue: Epilogue,
    top_db: float | None,
) -> mx.array:
    """:class:`.operators.Cepstrum` ``[..., N, M]`` of audio ``[..., T]``; ``[T]`` counts as a batch of one."""
    audio, window, framing = audio_of(transform, x)
    op = Cepstrum(Filterbank(framing, power, _scale(transform), epilogue), top_db)
    return apply(op, audio, window, bank, basis)


def like_input(x: mx.array, y: mx.array) -> mx.array:
    """``y`` without the batch axis that a single signal ``x [T]`` was given."""
    return y[0] if x.ndim == 1 else y


class Compilable(_replay.Owner):
    """A transform whose call can be compiled, once."""

    _compiled: dict[Any, Callable[[mx.array], Any]]

    def compiled_once(self, key: Any, function: Callable[[mx.array], Any]) -> Callable[[mx.array], Any]:
        """``function`` for fixed shapes with the least overhead, made once a ``key``."""
        functions: dict[Any, Callable[[mx.array], Any]] = self.__dict__.setdefault("_compiled", {})
        if key not in functions:
            functions.setdefault(key, backend.compiled(function))
        return functions[key]
