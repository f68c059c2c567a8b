"""StreamingSTFT, StreamingISTFT and StreamingMelSpectrogram."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from mlx_spectro.design.streams import Frames, Samples, State

from . import doors

Machine = TypeVar("Machine", Frames, Samples)


class _Stream(Generic[Machine]):
    """A signal that comes in chunks."""

    _machine: Machine

    @property
    def latency(self) -> int:
        """In samples; see the class."""
        return self._machine.latency

    def reset(self) -> None:
        """Forget the signal and begin a new one."""
        self._machine.reset()

    def state_dict(self) -> State:
        """All that the stream knows of its signal, to go on from there, here or in another process."""
        return self._machine.state()

    def load_state_dict(self, state: State) -> None:
        """Go on where :meth:`state_dict` was told.

        Raises:
            ValueError: no state of a stream, or one of a stream with other frames. The stream goes on after it.
        """
        self._machine.restore(state)


class _Analysis(_Stream[Frames]):
    _functions: dict[str, Callable[..., Frames]]

    def push(self, chunk: Any) -> Any:
        """Take more of the signal, or nothing of it where an error is raised.

        Args:
            chunk: Audio ``[..., n]`` of any length ``n``, floating point or int16, which becomes floating point in
                [-1, 1), chunk by chunk. Leading axes are signals of a batch. Its memory may be used again afterwards.

        Returns:
            The frames ``[..., k]`` that are complete now and were not before; ``k`` may be 0.

        Raises:
            TypeError: an array of another library.
            ValueError: other leading axes, or another dtype, than the chunks before.
            FallbackError: audio that our kernels do not serve, and the reason.
        """
        return self._machine.push(chunk)

    def flush(self) -> Any:
        """The frames that the end of the signal completes; then the stream begins anew.

        Raises:
            ValueError: no chunk has come.
        """
        return self._machine.flush()


class StreamingSTFT(_Analysis):
    """An STFT of a signal that comes in chunks.

    All frames together, those of :meth:`flush` included, equal the offline call's of the whole signal, bit for bit,
    where our kernels serve that too: under ``route("ours")`` and ``device("cpu")``.

    Frame ``t`` is returned by the time that ``t * hop_length + latency`` samples have come.

    Args:
        offline: The call that the stream stands for: ``torch.stft``, ``librosa.stft``, a :class:`.SpectralTransform`;
            None for a :class:`.SpectralTransform` of the options.
        options: Those of the offline call.

    Raises:
        ValueError: what cannot be streamed: circular padding, or where librosa mirrors a signal's end more than once.
        TypeError: another function.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> stream = mlx_spectro.StreamingSTFT(n_fft=512, hop_length=128)
        >>> [stream.push(chunk).shape for chunk in mx.zeros((3, 1000))], stream.flush().shape
        ([(1, 257, 6), (1, 257, 8), (1, 257, 8)], (1, 257, 2))
    """

    def __init__(self, offline: Any = None, /, **options: Any) -> None:
        by_name = {"torch.stft": doors.torch_stft, "librosa.stft": doors.librosa_stft}
        self._machine = _machine(offline, options, by_name, "SpectralTransform", doors.native_stft)


class StreamingISTFT(_Stream[Samples]):
    """The signal of an STFT whose frames come in chunks.

    All samples together, those of :meth:`flush` included, equal the offline call's of the whole spectrum, bit for bit,
    where our kernels serve that too: under ``route("ours")`` and ``device("cpu")``.

    After ``m`` frames, ``m * hop_length - latency`` samples have been returned. Behind a :class:`StreamingSTFT` of the
    same options, samples come back at most ``n_fft`` samples later.

    Args:
        offline: The call that the stream stands for: ``torch.istft``, ``librosa.istft``, a
            :class:`.SpectralTransform`; None for a :class:`.SpectralTransform` of the options.
        options: Those of the offline call, without ``length``; :meth:`flush` takes that.
    """

    def __init__(self, offline: Any = None, /, **options: Any) -> None:
        by_name = {"torch.istft": doors.torch_istft, "librosa.istft": doors.librosa_istft}
        self._machine = _machine(offline, options, by_name, "SpectralTransform", doors.native_istft)

    def push(self, frames: Any) -> Any:
        """Take more frames, or none of them where an error is raised.

        Args:
            frames: Spectrum ``[..., F, k]`` of any number ``k`` of frames.

        Returns:
            Samples ``[..., n]`` that no later frame reaches, and that were not complete before; ``n`` may be 0.

        Raises:
            TypeError: an array of another library.
            ValueError: other leading axes, or another dtype, than the chunks before.
            FallbackError: a spectrum that our kernels do not serve, and the reason.
        """
        return self._machine.push(frames)

    def flush(self, length: int | None = None) -> Any:
        """The rest of the signal, ``length`` samples in all or what the frames cover; then the stream begins anew.

        Raises:
            ValueError: no frames, or more than ``length`` samples have been returned.
            TypeError: ``length`` is no integer. The stream goes on after either.
        """
        return self._machine.flush(length)


class StreamingMelSpectrogram(_Analysis):
    """A mel spectrogram of a signal that comes in chunks, as :class:`StreamingSTFT` is of an STFT.

    Args:
        offline: The call that the stream stands for: ``librosa.feature.melspectrogram``, a
            ``torchaudio.transforms.MelSpectrogram`` or its class, a :class:`.MelSpectrogramTransform`; None for a
            :class:`.MelSpectrogramTransform` of the options, with ``top_db=None``.
        options: Those of the offline call, or of the class.

    Raises:
        ValueError: what cannot be streamed: circular padding, torchaudio's ``pad``, or a range of decibels below the
            maximum of the whole signal.
        TypeError: another function.
    """

    def __init__(self, offline: Any = None, /, **options: Any) -> None:
        if offline is None:
            options = {"top_db": None, **options}
        by_name = {
            "librosa.feature.melspectrogram": doors.librosa_mel,
            "torchaudio.transforms.MelSpectrogram": doors.torchaudio_mel,
        }
        self._machine = _machine(offline, options, by_name, "MelSpectrogramTransform", doors.native_mel)


def _machine(
    offline: Any,
    options: dict[str, Any],
    by_name: dict[str, Callable[..., Any]],
    native: str,
    of_native: Callable[[Any], Any],
) -> Any:
    """The stream that stands for a call."""
    if offline is None:
        return of_native(getattr(importlib.import_module("mlx_spectro"), native)(**options))
    name = doors.public_name(offline)
    is_object = not hasattr(offline, "__qualname__")
    if is_object and options:
        raise TypeError(f"options are those of the {type(offline).__name__} that is given, got {', '.join(options)}")
    if name.startswith("torchaudio") and name in by_name:
        return by_name[name](offline if is_object else offline(**options))
    if name in by_name:
        return by_name[name](options)
    if is_object and any(kind.__name__ == native for kind in type(offline).__mro__):
        return of_native(offline)
    shown = getattr(offline, "__qualname__", type(offline).__name__)
    raise TypeError(f"offline must be one of {', '.join(by_name)} or a {native}, got {shown}")
