"""Where frames start that lie by the time between them, which need be no whole number of samples."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from .. import _check

FrameOrigin = Literal["center", "past", "future"]
FramesEnd = Literal["normal", "extend"]


def frame_starts(
    length: int,
    *,
    frame_length: int,
    fps: float,
    sample_rate: float = 44100,
    origin: FrameOrigin | int = "center",
    end: FramesEnd = "normal",
) -> npt.NDArray[np.int64]:
    """First samples of frames of which there are ``fps`` a second.

    Frame ``n`` belongs to sample ``floor(n * sample_rate / fps)``.

    Args:
        length: Samples of the signal.
        frame_length: Samples a frame.
        fps: Frames a second.
        sample_rate: Hz.
        origin: Where a frame has its sample: ``"center"``, ``"past"`` at its end (it hears nothing later), ``"future"``
            at its start; or by how many samples it is moved to the past from being centred.
        end: ``"normal"`` has frames for samples of the signal, ``"extend"`` one for its end too.

    Returns:
        int64 ``[N]``; frames reach beyond the signal at both ends.

    Raises:
        TypeError: a value of another type.
        ValueError: a value out of its range, or an unknown option.

    Example:
        >>> frame_starts(44100, frame_length=2048, fps=100)[:3].tolist()
        [-1024, -583, -142]
    """
    length = _check.integer("length", length, at_least=0)
    frame_length = _check.integer("frame_length", frame_length, at_least=1)
    sample_rate = _check.number("sample_rate", sample_rate, above=0)
    hop = sample_rate / _check.number("fps", fps, above=0)
    if hop < 1:
        raise ValueError(f"fps must be at most sample_rate={sample_rate}, got {fps}")
    if isinstance(origin, str):
        _check.one_of("origin", origin, FrameOrigin)
        origin = {"center": 0, "past": (frame_length - 1) // 2, "future": -(frame_length // 2)}[origin]
    else:
        origin = _check.integer("origin", origin, at_least=-(2**31))
    _check.one_of("end", end, FramesEnd)
    count = np.ceil(length / hop) if end == "normal" else np.floor(length / hop) + 1
    samples: npt.NDArray[np.int64] = np.floor(np.arange(count) * hop).astype(np.int64)
    return samples - (frame_length // 2 + origin)


def frames_of_rise(window: npt.NDArray[np.floating], hop_length: float, ratio: float) -> int:
    """Frames between two whose windows overlap where they are above ``ratio`` of their largest value, at least 1.

    Böck and Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013.

    Example:
        >>> import numpy as np
        >>> frames_of_rise(np.hanning(2048), 441, 0.5)
        1
    """
    first = int(np.argmax(window > ratio * window.max()))
    return max(1, round((window.size / 2 - first) / hop_length))
