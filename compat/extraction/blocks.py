"""Features of recordings that are not read as a whole: samples come in blocks, and frames go to files."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from mlx_spectro.design.streams import Frames

from ..contract import settings

Array = npt.NDArray[Any]
# frames that are finished at a time
_FRAMES = 1 << 14


class WriteError(Exception):
    """A folder cannot be written to."""


@dataclass(frozen=True)
class InBlocks:
    """A feature of samples ``[T]`` that come in blocks."""

    frames: Frames
    of_numpy: Callable[[Array], Any]
    """The library's array of a block."""
    to_numpy: Callable[[Any], Array]
    """Frames ``[N, values]`` of the library's array."""
    finish: Callable[[Array], Array] | None = None
    """What frames become beside one that has the largest value of all."""


def features_of(
    parts: dict[str, InBlocks], blocks: Iterable[Array], folder: str | os.PathLike[str] | None = None
) -> dict[str, Array]:
    """All frames ``[N, values]`` of each feature, which lie in files of ``folder`` that end with the arrays."""
    with contextlib.ExitStack() as files:
        stored = {name: files.enter_context(_Stored(folder)) for name in parts}
        for block in blocks:
            for name, part in parts.items():
                stored[name].add(part.to_numpy(part.frames.push(part.of_numpy(block))))
        for name, part in parts.items():
            stored[name].add(part.to_numpy(part.frames.flush()))
        return {
            name: stored[name].array() if part.finish is None else _finished(part.finish, stored[name], folder)
            for name, part in parts.items()
        }


def _finished(finish: Callable[[Array], Array], stored: _Stored, folder: str | os.PathLike[str] | None) -> Array:
    frames = stored.array()
    # a call alone would count from the largest value of its own frames
    largest = np.full((1, frames.shape[1]), stored.largest, frames.dtype)
    with _Stored(folder) as finished, settings.route.here("ours"):
        for start in range(0, len(frames), _FRAMES):
            finished.add(finish(np.concatenate([frames[start : start + _FRAMES], largest]))[:-1])
        return finished.array()


class _Stored:
    """Frames in a file; the array that they are read as stays when it is closed.

    Raises:
        WriteError: there is no room for them.
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        with _writing():
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._count, self._like = 0, np.empty((0, 0))
        self.largest = -np.inf

    def add(self, frames: Array) -> None:
        self._like = frames[:0]
        if len(frames):
            with _writing():
                self._file.write(np.ascontiguousarray(frames).data)
            self._count += len(frames)
            self.largest = max(self.largest, frames.max())

    def array(self) -> Array:
        with _writing():
            self._file.flush()
        if not self._count:
            return self._like
        return np.memmap(self._file, self._like.dtype, "r", shape=(self._count, self._like.shape[1]))

    def __enter__(self) -> _Stored:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # what was not written belongs to frames that nobody waits for
        with contextlib.suppress(OSError):
            self._file.close()


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(f"{type(error).__name__}: {error}") from error
