"""Energy and sign changes of frames of the waveform itself."""

from __future__ import annotations

import mlx.core as mx

from .. import _check
from ..design.framing import Framing, pad_mode_of
from ..design.operators import FrameStatistic
from ..ops.apply import apply
from ..types import CenterPadMode
from . import _inputs
from ._replay import recorded
from ._shared import like_input


def _framed(x: mx.array, frame_length: int, hop_length: int, center: bool, pad_mode: str) -> tuple[mx.array, Framing]:
    """Audio with a batch axis, and its framing; what its padding cannot mirror has its outermost samples repeated."""
    frame_length = _check.integer("frame_length", frame_length, at_least=1)
    hop_length = _check.integer("hop_length", hop_length, at_least=1)
    mode = pad_mode_of(_check.one_of("pad_mode", pad_mode, CenterPadMode))
    side = frame_length // 2 if _check.flag("center", center) else 0
    framing = Framing(frame_length, hop_length, side, side, mode if side else "constant")
    audio = _inputs.as_audio(x)
    return _inputs.extended(audio, framing.fitted(audio.shape[-1], "replicate"))


@recorded()
def rms(
    x: mx.array, *, frame_length: int = 2048, hop_length: int = 512, center: bool = True, pad_mode: str = "reflect"
) -> mx.array:
    """Root mean square of each frame of the waveform.

    Args:
        x: Audio ``[..., T]`` of any length: its outermost samples extend what ``pad_mode`` cannot, and zeros fill it to
            one frame.
        frame_length: Samples a frame.
        hop_length: Samples between frame starts.
        center: Frame ``t`` is centred on sample ``t * hop_length``.
        pad_mode: How a centred signal is extended; see ``center_pad_mode`` of :class:`SpectralTransform`.

    Returns:
        float32 ``[..., 1, N]``.

    Raises:
        TypeError: audio that is no MLX array, or not floating point.
        ValueError: a length below 1, an unknown mode, or an array without axes.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> audio = mx.zeros((2, 16000))  # one second of two signals
        >>> mlx_spectro.rms(audio, frame_length=512, hop_length=128).shape
        (2, 1, 126)
    """
    audio, framing = _framed(x, frame_length, hop_length, center, pad_mode)
    norms = apply(FrameStatistic(framing, "norm"), audio)
    return like_input(x, (norms * frame_length**-0.5)[..., None, :])


@recorded()
def zero_crossing_rate(
    x: mx.array, *, frame_length: int = 2048, hop_length: int = 512, center: bool = True, pad_mode: str = "reflect"
) -> mx.array:
    """Share of each frame's samples that differ in sign from the sample before them, the frame's first excepted.

    Zero, and what lies within 1e-10 of it, counts as positive. The arguments are those of :func:`rms`.

    Returns:
        float32 ``[..., 1, N]``.
    """
    audio, framing = _framed(x, frame_length, hop_length, center, pad_mode)
    count = apply(FrameStatistic(framing, "crossings"), audio)
    return like_input(x, (count / frame_length)[..., None, :])
