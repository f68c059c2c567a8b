"""Signals that come in chunks: what of them is still needed, and which frames or samples are complete.

Arrays are whatever an :class:`Arrays` knows to join; time, in samples or frames, is their last axis.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

from .. import _check
from .framing import Framing, overlap_length

State = dict[str, Any]


class Arrays(Protocol):
    """What a stream does with the arrays of one library."""

    def chunk(self, x: Any) -> Any:
        """A chunk as the transform takes it: 16-bit samples become floating point in [-1, 1)."""

    def join(self, parts: list[Any]) -> Any:
        """A new array of all parts, one after the other in time."""

    def zeros(self, like: Any, count: int) -> Any:
        """Silence of ``count`` samples."""

    def take(self, x: Any, places: list[int]) -> Any:
        """The samples at ``places``."""


def check_like(held: Any, chunk: Any) -> None:
    """ValueError where a chunk continues no stream of ``held``'s kind."""
    lead, other = tuple(held.shape[:-1]), tuple(chunk.shape[:-1])
    if lead != other or held.dtype != chunk.dtype:
        raise ValueError(
            f"a stream of {held.dtype} {list(lead)} goes on in kind, got {chunk.dtype} {list(other)}; "
            "reset() begins anew"
        )


def check_hop(hop_length: int) -> None:
    """ValueError where no frame comes after another."""
    if hop_length < 1:
        raise ValueError(f"hop_length must be at least 1 in a stream, got {hop_length}")


def _entries(state: State, framing: tuple[Any, ...], *names: str) -> list[Any]:
    """What a state has under these names; ValueError where it is none of a stream with such frames."""
    if missing := {"framing", *names} - state.keys():
        raise ValueError(f"a stream's state has {', '.join(sorted(missing))} too, got {', '.join(state) or 'nothing'}")
    if tuple(state["framing"]) != framing:
        raise ValueError(f"the state is of a stream with other frames: {state['framing']}")
    return [state[name] for name in names]


def _wholly(push: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """``push``, which takes a chunk or, where it raises an exception, leaves the stream as it was."""

    @functools.wraps(push)
    def call(stream: Any, chunk: Any) -> Any:
        before = vars(stream).copy()
        try:
            return push(stream, chunk)
        except BaseException:
            vars(stream).update(before)
            raise

    return call


class Frames:
    """The frames of a signal that comes in chunks.

    Args:
        framing: Where the frames of a signal of so many samples lie, all of it known.
        whole: What an offline call makes of a whole signal: ``[..., N]``, ``N`` frames.
        plain: The same without padding: of exactly the samples that the frames lie over.
        arrays: The library's arrays.

    Raises:
        ValueError: padding by what comes last, or a hop of no samples.
    """

    def __init__(
        self,
        framing: Callable[[int], Framing],
        whole: Callable[[Any], Any],
        plain: Callable[[Any], Any],
        arrays: Arrays,
    ) -> None:
        self._framing, self._whole, self._plain, self._arrays = framing, whole, plain, arrays
        n_fft, hop, left, _, mode = framing(1 << 30)
        check_hop(hop)
        self._n_fft, self._hop, self._left, self._mode = n_fft, hop, left, mode
        if mode == "circular" and left:
            raise ValueError(
                "circular padding puts the end of a signal before its start: a stream does not know it yet"
            )
        # samples that must have come before the padding at the start is known, and that the padding at the end mirrors
        mirrored = {"constant": 0, "replicate": 1, "reflect": left + 1, "symmetric": left}[mode]
        self._first, self._behind = (mirrored, max(mirrored, 1)) if left and mode != "constant" else (0, 0)
        self.reset()

    @property
    def latency(self) -> int:
        """Frame ``t`` is complete by the time that ``t * hop_length + latency`` samples have come."""
        return max(self._n_fft - self._left, self._first)

    def reset(self) -> None:
        """Begin a new signal."""
        self._held: Any = None
        self._empty: Any = None
        self._start = self._length = self._frame = 0

    def state(self) -> State:
        """All that the stream knows of its signal."""
        return {
            "held": self._held,
            "start": self._start,
            "length": self._length,
            "frame": self._frame,
            "framing": (self._n_fft, self._hop, self._left, self._mode),
        }

    def restore(self, state: State) -> None:
        """Go on where :meth:`state` was told."""
        framing = (self._n_fft, self._hop, self._left, self._mode)
        held, start, length, frame = _entries(state, framing, "held", "start", "length", "frame")
        self.reset()
        self._held, self._start, self._length, self._frame = held, start, length, frame

    @_wholly
    def push(self, chunk: Any) -> Any:
        """The frames that are complete now and were not before."""
        chunk = self._arrays.chunk(chunk)
        if self._held is not None:
            check_like(self._held, chunk)
        self._held = self._arrays.join([chunk] if self._held is None else [self._held, chunk])
        self._length += chunk.shape[-1]
        ready = 1 + (self._left + self._length - self._n_fft) // self._hop if self._length >= self._first else 0
        result = self._up_to(ready)
        start = min(self._frame * self._hop - self._left, self._length - self._behind)
        if self._frame and start > self._start:
            self._held = self._held[..., start - self._start :]
            self._start = min(start, self._length)
        # what has been cut away is not to stay in memory
        self._held = self._arrays.join([self._held])
        return result

    def flush(self) -> Any:
        """The frames that the end of the signal completes; then the stream begins anew."""
        if self._held is None:
            raise ValueError("flush() needs a chunk, be it of no samples: of nothing, its axes are unknown")
        try:
            if not self._frame:
                return self._whole(self._held)
            framing = self._framing(self._length)
            if framing.right:
                self._held = self._arrays.join([self._held, self._padding(self._length, framing.right)])
            return self._up_to(framing.frames(self._length))
        finally:
            self.reset()

    def _up_to(self, end: int) -> Any:
        if end <= self._frame:
            return self._nothing()
        held, start = self._held, self._start
        if not self._frame and self._left:
            held, start = self._arrays.join([self._padding(-self._left, self._left), held]), -self._left
        low, high = self._frame * self._hop, overlap_length(end, self._n_fft, self._hop)
        offset = self._left + start
        result = self._plain(held[..., low - offset : high - offset])
        self._held, self._start, self._frame = held, start, end
        return result

    def _padding(self, first: int, count: int) -> Any:
        """Samples that stand at ``first`` and after it, before or behind the signal."""
        if self._mode == "constant":
            return self._arrays.zeros(self._held, count)
        last = self._length - 1
        edge = {"reflect": 0, "symmetric": 1, "replicate": 0}[self._mode]
        places = []
        for i in range(first, first + count):
            if self._mode == "replicate":
                places.append(0 if i < 0 else last)
            else:
                places.append(-i - edge if i < 0 else 2 * last - i + edge)
        return self._arrays.take(self._held, [place - self._start for place in places])

    def _nothing(self) -> Any:
        """No frames, with the axes of some."""
        if self._empty is None:
            self._empty = self._plain(self._arrays.zeros(self._held, self._n_fft))[..., :0]
        return self._empty


class Samples:
    """The signal of frames that come in chunks, overlapped and added.

    Args:
        n_fft, hop_length, left: Of the frames; ``left`` samples come before the first that is returned.
        inverse: Takes frames and how many samples to return, None for all that they cover, and inverts them as an
            offline call does.
        arrays: The library's arrays.

    Raises:
        ValueError: a hop of no samples.
    """

    def __init__(
        self, n_fft: int, hop_length: int, left: int, inverse: Callable[[Any, int | None], Any], arrays: Arrays
    ) -> None:
        check_hop(hop_length)
        self._n_fft, self._hop, self._left = n_fft, hop_length, left
        self._inverse, self._arrays = inverse, arrays
        self.reset()

    @property
    def latency(self) -> int:
        """After ``m`` frames, all but so many of ``m * hop_length`` samples have been returned."""
        return self._left + max(0, self._hop - self._n_fft + self._left)

    def reset(self) -> None:
        """Begin a new signal."""
        self._held: Any = None
        self._start = self._frames = self._done = 0

    def state(self) -> State:
        """All that the stream knows of its signal."""
        return {
            "held": self._held,
            "start": self._start,
            "frames": self._frames,
            "done": self._done,
            "framing": (self._n_fft, self._hop, self._left),
        }

    def restore(self, state: State) -> None:
        """Go on where :meth:`state` was told."""
        framing = (self._n_fft, self._hop, self._left)
        self._held, self._start, self._frames, self._done = _entries(state, framing, "held", "start", "frames", "done")

    @_wholly
    def push(self, frames: Any) -> Any:
        """The samples that no later frame reaches, and that were not complete before."""
        frames = self._arrays.chunk(frames)
        if self._held is not None:
            check_like(self._held, frames)
        self._held = self._arrays.join([frames] if self._held is None else [self._held, frames])
        self._frames += frames.shape[-1]
        # a signal that ended here would not have more than it covers
        end = min(self._frames * self._hop - self._left, self._covered)
        if end <= self._done:
            return self._nothing()
        result = self._between(end)
        # the first frame that the next sample needs, and one that leaves enough before it to be cut off
        position = end + self._left
        start = max(0, min((position - self._n_fft) // self._hop + 1, end // self._hop, self._frames - 1))
        self._held = self._arrays.join([self._held[..., start - self._start :]])
        self._start = start
        return result

    def flush(self, length: int | None = None) -> Any:
        """The rest of the signal, or of its first ``length`` samples; then the stream begins anew.

        Raises:
            ValueError: no frames, or more than ``length`` samples have been returned.
            TypeError: ``length`` is no integer.
        """
        if not self._frames:
            raise ValueError("flush() needs frames, got none")
        length = None if length is None else _check.integer("length", length, at_least=0)
        if length is not None and length < self._done:
            raise ValueError(f"length must be at least the {self._done} samples that have been returned, got {length}")
        try:
            if self._done and self._done == (self._covered if length is None else length):
                return self._nothing()
            return self._between(length)
        finally:
            self.reset()

    @property
    def _covered(self) -> int:
        """Samples of a signal without an end of its own."""
        return overlap_length(self._frames, self._n_fft, self._hop) - 2 * self._left

    def _nothing(self) -> Any:
        return self._held[..., 0, :0].real

    def _between(self, end: int | None) -> Any:
        before = self._start * self._hop
        samples = self._inverse(self._held, None if end is None else end - before)[..., self._done - before :]
        self._done += samples.shape[-1]
        return samples
