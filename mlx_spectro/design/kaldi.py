"""How Kaldi takes frames out of audio (D. Povey et al., "The Kaldi Speech Recognition Toolkit", 2011; its ``feat``)."""

from __future__ import annotations

from typing import Literal, NamedTuple

from .framing import Framing

EPSILON = 2.0**-23
"""The least energy of which a logarithm is taken."""

Place = Literal["", "first", "last"]
"""Where among a frame's values its energy is put; nowhere if empty."""


class Extraction(NamedTuple):
    """Frames, and what happens to each before its transform of ``n_fft`` samples, which zeros fill.

    Its mean is subtracted, then ``preemphasis`` times the sample before, of the first one itself; then it is windowed.
    """

    framing: Framing
    """``framing.n_fft`` is the length of a frame."""
    n_fft: int
    remove_mean: bool = True
    preemphasis: float = 0.97
    raw_energy: bool = True
    """A frame's energy is that before pre-emphasis and window."""
    least: float = 0.0
    """The least logarithm of a frame's energy."""


def kaldi_framing(frame_length: int, frame_shift: int, snip_edges: bool) -> Framing:
    """Frames that lie in the signal, or one each ``frame_shift`` samples, whose middle is that of its share.

    Example:
        >>> kaldi_framing(400, 160, True).frames(1600), kaldi_framing(400, 160, False).frames(1600)
        (8, 10)
    """
    if snip_edges:
        return Framing(frame_length, frame_shift)
    left = frame_length // 2 - frame_shift // 2
    right = frame_length - frame_length // 2 - frame_shift % 2
    return Framing(frame_length, frame_shift, left, right, "symmetric")
