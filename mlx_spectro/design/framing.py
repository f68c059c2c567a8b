"""Where the frames of a transform lie. Plain integers: neither MLX nor NumPy is needed here."""

from __future__ import annotations

from typing import NamedTuple

from .. import _check

# NumPy's names of modes that torch, and we, name otherwise
_NUMPY_NAMES = {"edge": "replicate", "wrap": "circular"}


def pad_mode_of(name: str) -> str:
    """The name under which kernels know a way of padding."""
    return _NUMPY_NAMES.get(name, name)


class Framing(NamedTuple):
    """Frames of ``n_fft`` samples, ``hop_length`` apart, over a signal extended at both ends.

    ``left`` and ``right`` are the samples added before and after the signal, by ``pad_mode``: ``reflect`` (mirrored
    without the edge sample), ``constant`` (zeros), ``replicate`` (the edge sample), ``circular``, or ``symmetric``
    (mirrored with the edge sample, as often as it takes), which few kernels know. A ``left`` below 0 skips samples.
    """

    n_fft: int
    hop_length: int
    left: int = 0
    right: int = 0
    pad_mode: str = "constant"

    def frames(self, length: int) -> int:
        """Number of whole frames in a signal of ``length`` samples; 0 where it is too short for one."""
        return max(0, 1 + (self.left + length + self.right - self.n_fft) // self.hop_length)

    def refusal(self, length: int) -> str:
        """Why its mode cannot extend a signal of ``length`` samples; empty where it can."""
        widest = max(self.left, self.right)
        if self.pad_mode == "constant" or not widest:
            return ""
        if self.pad_mode == "reflect" and widest >= length > 0:
            return (
                f"reflect padding of {widest} samples needs more than {widest} samples, got {length}; "
                "'constant' padding takes any length"
            )
        if self.pad_mode == "circular" and widest > length:
            return f"circular padding of {widest} samples needs at least as many, got {length}"
        return "" if length else f"{self.pad_mode} padding needs at least 1 sample, got 0"

    def filled(self, length: int) -> Framing:
        """With zeros to the end of a whole frame behind a signal that is shorter than one and not extended else."""
        missing = self.n_fft - self.left - length - self.right
        return self._replace(right=self.right + missing) if missing > 0 and self.pad_mode == "constant" else self

    def fitted(self, length: int, instead: str) -> Framing:
        """For a signal that may be too short for its mode, and is then extended by ``instead``; and :meth:`filled`."""
        if not self.refusal(length):
            return self.filled(length)
        return self._replace(pad_mode=instead if length else "constant").filled(length)

    def check(self, length: int) -> None:
        """Raise ValueError where a signal of ``length`` samples cannot be extended or holds no frame."""
        refusal = self.refusal(length)
        if refusal:
            raise ValueError(refusal)
        if not self.frames(length):
            raise ValueError(
                f"n_fft={self.n_fft} is longer than the signal: {length} samples"
                + (f" and {self.left + self.right} of padding" if self.left + self.right else "")
            )


def centred(length: int, n_fft: int, hop_length: int, pad_mode: str, tail: str = "symmetric") -> Framing:
    """Framing whose frame ``t`` is centred on sample ``t * hop_length``.

    ``tail="symmetric"`` extends both ends by ``n_fft // 2``; ``"minimal"`` extends the end only as far as
    ``ceil(length / hop_length)`` frames need.

    Example:
        >>> framing = centred(16000, 512, 128, "reflect")
        >>> framing.left, framing.right
        (256, 256)
    """
    left = right = n_fft // 2
    if tail == "minimal":
        frames = max(1, -(-length // hop_length))
        right = max(0, (frames - 1) * hop_length + n_fft - left - length)
    return Framing(n_fft, hop_length, left, right, pad_mode_of(pad_mode))


def overlap_length(frames: int, n_fft: int, hop_length: int) -> int:
    """Samples covered by ``frames`` overlapped frames.

    Example:
        >>> overlap_length(3, 512, 128)
        768
    """
    return n_fft + hop_length * (frames - 1) if frames else 0


def resolve_fft_params(n_fft: int, hop_length: int | None, win_length: int | None, pad: int) -> tuple[int, int, int]:
    """``(n_fft, hop_length, win_length)`` in samples with torch's defaults filled in.

    Args:
        n_fft: Frame length in samples.
        hop_length: Samples between frame starts. Default: a quarter of the padded frame.
        win_length: Window length in samples. Default: the padded frame.
        pad: Zeros added to each side of a frame; the frame returned is ``n_fft + 2 * pad`` long.

    Raises:
        ValueError: a length below 1, a negative ``pad``, or a window longer than the frame.
    """
    n_fft = _check.integer("n_fft", n_fft, at_least=1) + 2 * _check.integer("pad", pad, at_least=0)
    hop_length = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    hop_length = _check.integer("hop_length", hop_length, at_least=1)
    win_length = _check.integer("win_length", win_length, at_least=1)
    if win_length > n_fft:
        raise ValueError(f"win_length must be at most n_fft={n_fft}, got {win_length}")
    return n_fft, hop_length, win_length
