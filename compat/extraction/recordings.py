"""Which recordings there are, and what is in one."""

from __future__ import annotations

import contextlib
import csv
import glob
import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

# seconds that are read as a whole: of two hours at 48 kHz, samples take 1.4 GB
LONGEST = 7200.0
# values that are read at a time
_BLOCK = 1 << 20
# what soundfile reads, beyond its formats' own names
_SUFFIXES = {".aif", ".oga", ".opus", ".mp2", ".snd", ".m1a"}
_COLUMNS = ("path", "audio_filepath", "audio", "file", "filename")


class ListError(ValueError):
    """Recordings that cannot be listed."""


def recordings_of(audio: Iterable[str | os.PathLike[str]], manifest: str | os.PathLike[str] | None = None) -> list[str]:
    """Absolute paths of files, of folders' recordings, of what patterns match and of a manifest; each once, in order.

    A file that a manifest names need not exist: what is missing is found out when it is read.

    Raises:
        ListError: no such file or folder, nothing that a pattern matches, a folder or a manifest that cannot be read,
            nothing.
    """
    paths: dict[str, None] = {}
    for name in audio:
        paths |= dict.fromkeys(os.path.abspath(path) for path in _expanded(os.fspath(name)))
    if manifest is not None:
        folder = os.path.dirname(os.path.abspath(manifest))
        paths |= dict.fromkeys(os.path.normpath(os.path.join(folder, path)) for path in _named(Path(manifest)))
    if not paths:
        raise ListError("there are no recordings to extract features of")
    return list(paths)


def _expanded(name: str) -> Iterator[str]:
    if os.path.isdir(name):
        suffixes, seen = _suffixes(), set[str]()
        for folder, folders, files in os.walk(name, onerror=_refuse, followlinks=True):
            folders.sort()
            # links may lead to a folder twice, or back to one above
            if (place := os.path.realpath(folder)) in seen:
                folders.clear()
                continue
            seen.add(place)
            yield from (os.path.join(folder, file) for file in sorted(files) if _is_recording(file, suffixes))
    elif os.path.exists(name):
        yield name
    else:
        matches = sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
        if not matches:
            raise ListError(f"there is no {name}" + (": no file matches" if glob.has_magic(name) else ""))
        yield from matches


def _refuse(error: OSError) -> None:
    raise ListError(f"the folder {error.filename} cannot be read: {error.strerror}")


def _suffixes() -> set[str]:
    import soundfile

    return _SUFFIXES | {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"}


def _is_recording(file: str, suffixes: set[str]) -> bool:
    return not file.startswith(".") and os.path.splitext(file)[1].lower() in suffixes


def _named(manifest: Path) -> Iterator[str]:
    """The paths of a manifest: lines of text, JSON lines, or a table with a column of paths."""
    try:
        # which Excel begins with a mark of its own
        text = manifest.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ListError(f"the manifest {manifest} cannot be read: {error}") from None
    suffix = manifest.suffix.lower()
    if suffix in (".csv", ".tsv"):
        rows = csv.DictReader(io.StringIO(text), delimiter="\t" if suffix == ".tsv" else ",")
        try:
            column = next((name for name in _COLUMNS if name in (rows.fieldnames or ())), None)
            if column is None:
                raise ListError(f"the manifest {manifest} has none of the columns {', '.join(_COLUMNS)}")
            yield from (row[column] for row in rows if row[column])
        except csv.Error as error:
            raise ListError(f"the manifest {manifest} is no table: {error} (line {rows.line_num})") from None
        return
    # a text in a line may have separators of its own
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if suffix not in (".jsonl", ".json"):
            yield line.strip()
            continue
        try:
            entry = json.loads(line)
            yield next(entry[name] for name in _COLUMNS if isinstance(entry.get(name), str))
        except (ValueError, AttributeError, StopIteration):
            raise ListError(f"line {number} of the manifest {manifest} names no path") from None


class Recording(NamedTuple):
    """What is told of a recording beside its features."""

    samples: int
    rate: int
    """In Hz."""
    channels: int


@contextlib.contextmanager
def opened(path: Any, channel: int | None = None) -> Iterator[Any]:
    """A file of soundfile's that has samples, and the channel.

    Raises:
        OSError: no such file.
        ValueError: no samples, no such channel.
        soundfile.LibsndfileError: what soundfile does not read.
    """
    import soundfile

    if not os.path.exists(path):
        raise FileNotFoundError("there is no such file")
    with soundfile.SoundFile(os.fspath(path)) as file:
        if not file.frames:
            raise ValueError("it holds no samples")
        if channel is not None and not 0 <= channel < file.channels:
            raise ValueError(f"it has {file.channels} channels, and no channel {channel}")
        yield file


def blocks(file: Any, channel: int | None = None) -> Iterator[npt.NDArray[np.float32]]:
    """The samples of an open file, block by block: of one channel, or the mean of all."""
    size = max(1, _BLOCK // file.channels)
    while len(samples := file.read(size, dtype="float32", always_2d=True)):
        if channel is None and file.channels > 1:
            yield samples.mean(axis=1)
        else:
            yield np.ascontiguousarray(samples[:, channel or 0])


def whole(file: Any, channel: int | None = None) -> npt.NDArray[np.float32]:
    """The samples ``[T]`` of an open file: of one channel, or the mean of all."""
    samples, count = np.empty(file.frames, np.float32), 0
    for block in blocks(file, channel):
        samples[count : count + len(block)] = block
        count += len(block)
    return samples[:count]


def too_long(file: Any, longest: float) -> str:
    """Why an open file is not read as a whole: it has more seconds than ``longest``; empty where it has not."""
    seconds = file.frames / file.samplerate
    return f"it lasts {seconds:.0f} s, longer than {longest:.0f} s" if seconds > longest else ""
