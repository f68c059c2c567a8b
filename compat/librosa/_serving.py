"""Functions that take the place of librosa's, and what they ask of their arguments."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import librosa
import numpy as np
import numpy.typing as npt

from mlx_spectro import backend, cpu
from mlx_spectro.geometry import Framing

from .. import modes
from ..dispatch import Function, Plan
from ..limits import Limit
from ..reasons import REJECTED, ByDesign

Array = npt.NDArray[Any]

_PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
_get_window, _pad_center = librosa.filters.get_window, librosa.util.pad_center


def _longest(arguments: dict[str, Any]) -> int:
    """Length of the transforms or sums of a call."""
    sizes: list[int] = [arguments.get(key) or 2 for key in ("n_fft", "frame_length")]
    return max(sizes)


def serves(
    name: str, limit: Limit, order: Callable[[dict[str, Any]], int] = _longest
) -> Callable[[Callable[..., Plan]], Any]:
    """Make of a plan, which has the reference's own signature, the function that takes the reference's place.

    Args:
        name: A function of librosa.
        limit: Bound of ``|ours - theirs|``, see :class:`Function`.
        order: What the limit depends on, made of a call's arguments.
    """
    path, _, last = name.rpartition(".")
    theirs = getattr(importlib.import_module(path), last)

    def decorate(plan: Callable[..., Plan]) -> Any:
        def order_of(*args: Any, **kwargs: Any) -> int:
            bound = inspect.signature(plan).bind(*args, **kwargs)
            bound.apply_defaults()
            return order({**bound.arguments, **bound.arguments.get("kwargs", {})})

        door = Function(name, theirs, plan, limit, order_of)

        @functools.wraps(theirs)
        def serve(*args: Any, **kwargs: Any) -> Any:
            return door(*args, **kwargs)

        ours: Any = serve
        ours.__module__, ours.plan = plan.__module__, plan
        return ours

    return decorate


def is_int(value: Any, at_least: int) -> bool:
    """Whether ``value`` is an integer of librosa's kinds."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= at_least)


def is_number(value: Any) -> bool:
    """Whether ``value`` is a real scalar."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def engine_reason() -> str:
    """Why librosa has to compute; empty where host kernels can."""
    # MLX computes in float32 only; librosa transforms float32 audio in float64 and rounds once
    return (
        "" if backend.for_host_arrays() == "host" and cpu.available() else "librosa computes in float64, MLX does not"
    )


def faster_reason(size: int, least: int) -> str:
    """Why NumPy had better do elementwise work on so many values."""
    small = modes.route.get() == "auto" and size < least
    return ByDesign("NumPy is as fast for so few values") if small else ""


def array_reason(x: Any) -> str:
    """Why we cannot compute with ``x``; empty where we can."""
    if type(x) is not np.ndarray or not x.ndim:
        return REJECTED
    if x.dtype.char not in "fdFD" or not x.dtype.isnative:
        return f"values of dtype {x.dtype}"
    return "" if x.size else "no values"


def audio_reason(y: Any) -> str:
    """Why we cannot serve audio ``y``: no float array, or not finite, which librosa rejects."""
    reason = array_reason(y)
    if reason or y.dtype.kind != "f":
        return reason or REJECTED
    flat = y.reshape(-1) if y.flags.c_contiguous else y
    total = np.dot(flat, flat) if flat is not y else y.sum()
    return "" if np.isfinite(total) or np.isfinite(y).all() else REJECTED


def window_of(window: Any, win_length: Any, n_fft: int) -> Array:
    """librosa's own window in the middle of ``n_fft`` samples, in double precision."""
    if isinstance(window, (str, tuple, float)):
        return _named_window(window, win_length, n_fft)
    found: Array = _pad_center(_get_window(window, win_length, fftbins=True), size=n_fft)
    return found


@functools.lru_cache(maxsize=64)
def _named_window(window: Any, win_length: int, n_fft: int) -> Array:
    found: Array = _pad_center(_get_window(window, win_length, fftbins=True), size=n_fft)
    return found


class Analysis(NamedTuple):
    """A transform of audio as librosa frames it."""

    y: Array
    window: Array
    framing: Framing

    @property
    def options(self) -> dict[str, Any]:
        """What the host kernels take, float32 audio in double precision."""
        return {**self.framing.padding, "precise": self.y.dtype == np.float32}

    def power_spectrogram(self) -> Array:
        """Squared magnitudes ``[..., F, N]``, a frame's bins side by side."""
        return cpu.spectrogram(self.y, self.window, power=2.0, **self.options).swapaxes(-1, -2)

    @property
    def frames(self) -> int:
        """Frames of the audio."""
        return self.framing.frames(self.y.shape[-1])


def framing_of(
    length: int, size: Any, hop_length: Any, center: Any, pad_mode: Any, in_parts: bool = False
) -> Framing | str:
    """librosa's frames of a signal of ``length`` samples, or why we cannot make them.

    Args:
        in_parts: librosa pads the signal's two ends apart, as it does for its STFT.
    """
    if not (is_int(size, 1) and is_int(hop_length, 1)):
        return REJECTED
    if size > length:
        return "a frame longer than the signal"
    if not center:
        return Framing(int(size), int(hop_length))
    if not isinstance(pad_mode, str) or pad_mode not in _PAD_MODES:
        return "a pad mode that is not ours"
    half = int(size) // 2
    if pad_mode == "reflect":
        # few samples may be left at the end, which librosa then mirrors more than once
        tail = length - ((length + half - size) // hop_length + 1) * hop_length + half
        if (min(length, tail) if in_parts else length) <= half:
            return "a signal mirrored more than once"
    return Framing(int(size), int(hop_length), half, half, _PAD_MODES[pad_mode])


def analysis(
    y: Any, n_fft: Any, hop_length: Any, win_length: Any, window: Any, center: Any, pad_mode: Any
) -> Analysis | str:
    """The STFT that librosa's arguments ask for, or why we cannot serve it."""
    reason = engine_reason() or audio_reason(y)
    if reason:
        return reason
    if not is_int(n_fft, 1):
        return REJECTED
    win_length = n_fft if win_length is None else win_length
    if not is_int(win_length, 1) or win_length > n_fft:
        return REJECTED
    hop_length = int(win_length // 4) if hop_length is None else hop_length
    framing = framing_of(y.shape[-1], n_fft, hop_length, center, pad_mode, in_parts=True)
    if isinstance(framing, str):
        return framing
    samples = window_of(window, win_length, int(n_fft))
    if samples.dtype.kind != "f":
        return "a window that is not real"
    return Analysis(y, samples, framing)


def magnitudes_reason(s: Any) -> str:
    """Why we cannot compute with given magnitudes ``s [..., F, N]``; empty where we can."""
    reason = engine_reason() or array_reason(s)
    if reason or s.dtype.kind != "f" or s.ndim < 2:
        return reason or REJECTED
    smallest, largest = s.min(), s.max()
    return "" if smallest >= 0 and np.isfinite(largest) else "values that are negative or not finite"


def source_of(
    y: Any, S: Any, n_fft: Any, hop_length: Any, win_length: Any, window: Any, center: Any, pad_mode: Any
) -> tuple[Analysis | Array, int] | str:
    """The spectrogram of ``y``, or ``S`` if given, and its transform length as librosa takes it; or why we cannot."""
    if S is None:
        found = analysis(y, n_fft, hop_length, win_length, window, center, pad_mode)
        return found if isinstance(found, str) else (found, int(n_fft))
    reason = magnitudes_reason(S)
    if reason:
        return reason
    fits = is_int(n_fft, 1) and n_fft // 2 + 1 == S.shape[-2]
    return S, int(n_fft) if fits else 2 * (S.shape[-2] - 1)


def result_reason(shape: tuple[int, ...], natural: Any, dtype: Any, out: Array | None) -> str:
    """Why we cannot give a result of another ``dtype`` than its natural one, or in the memory ``out``."""
    if dtype is not None and np.dtype(dtype) != natural:
        return f"a result of dtype {np.dtype(dtype)}"
    fits = out is None or (out.shape == shape and out.dtype == natural)
    return "" if fits else "memory of another shape or dtype"


def transposed(shape: tuple[int, ...], dtype: Any) -> Array:
    """New memory for ``[..., N, values]`` whose values' frames lie side by side: ``[..., values, N]``, transposed."""
    *lead, frames, values = shape
    return np.empty((*lead, values, frames), dtype).swapaxes(-1, -2)
