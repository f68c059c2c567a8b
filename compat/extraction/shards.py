"""Shards: so many recordings' features in one file, whole or not there at all.

A shard is written under a temporary name, put on the disk and renamed; a record of its rows, written afterwards in the
same way, says that it is whole. What has no record is made again, and comes out the same.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from .blocks import WriteError
from .features import FeatureExtractor, reason_of

# bytes of features that are gathered before they are written
_GROUP = 32 << 20
# where an extraction keeps its books; readers of data sets leave out what begins so
BOOKS = "_extraction"

Array = npt.NDArray[Any]
Widths = dict[str, tuple[int, np.dtype[Any]]]
Note = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Settings:
    """What an extraction's files depend on, beside its recordings."""

    features: tuple[str, ...]
    like: str
    options: dict[str, Any]
    rate: int | None
    channel: int | None
    longest: float
    device: str
    format: str
    shard_size: int
    version: str

    def extractor(self) -> FeatureExtractor:
        """What computes the features."""
        return FeatureExtractor(
            self.features, self.like, rate=self.rate, channel=self.channel, longest=self.longest, device=self.device,
            **self.options,
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """As a JSON file has it.

        Raises:
            TypeError: the value of an option that JSON has nothing for.
        """
        told = {**asdict(self), "options": {name: _told(value) for name, value in self.options.items()}}
        result: dict[str, Any] = json.loads(json.dumps(told))
        return result

    @staticmethod
    def of_json(values: dict[str, Any]) -> Settings:
        """The settings that :meth:`as_json` told."""
        options = {name: _untold(value) for name, value in values["options"].items()}
        return Settings(**{**values, "features": tuple(values["features"]), "options": options})


# JSON has no tuples, and a window that is one is no list
_TUPLE = "tuple"


def _told(value: Any) -> Any:
    if isinstance(value, tuple):
        return {_TUPLE: [_told(each) for each in value]}
    return [_told(each) for each in value] if isinstance(value, list) else value


def _untold(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {_TUPLE}:
        return tuple(_untold(each) for each in value[_TUPLE])
    return [_untold(each) for each in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Job:
    """A shard to make."""

    number: int
    recordings: list[str]
    given_up: dict[str, str] = field(default_factory=dict)
    """Reasons not to read recordings again."""


def file_name(number: int) -> str:
    """A shard's name, without what its format adds."""
    return f"part-{number:05d}"


def record_path(folder: Path, number: int) -> Path:
    """Where the record of a shard's rows is."""
    return folder / BOOKS / f"{file_name(number)}.json"


class Writer(Protocol):
    """A shard that is being written."""

    def add(self, row: dict[str, Any], features: dict[str, Array]) -> None:
        """A recording's row."""

    def close(self) -> list[Path]:
        """Finish, and tell the files."""


class ParquetWriter:
    """One Parquet file; a feature is a list of frames, each a list of fixed size."""

    def __init__(self, folder: Path, name: str, widths: Widths) -> None:
        import pyarrow
        import pyarrow.parquet

        self._pa, self._path, self._widths = pyarrow, folder / f"{name}.parquet", widths
        of_features = [
            (feature, pyarrow.list_(pyarrow.list_(pyarrow.from_numpy_dtype(dtype), values)))
            for feature, (values, dtype) in widths.items()
        ]
        integers = [(name, pyarrow.int64()) for name in ("sample_rate", "channels", "samples", "frames")]
        self._schema = pyarrow.schema([("path", pyarrow.string()), *integers, *of_features])
        self._writer = pyarrow.parquet.ParquetWriter(self._path, self._schema, use_dictionary=False)
        self._rows: list[tuple[dict[str, Any], dict[str, Array]]] = []
        self._bytes = 0

    def add(self, row: dict[str, Any], features: dict[str, Array]) -> None:
        size = sum(feature.nbytes for feature in features.values())
        if self._rows and size >= _GROUP:
            # what is large is written alone, from where it lies
            self._write()
        self._rows.append((row, features))
        self._bytes += size
        if self._bytes >= _GROUP:
            self._write()

    def close(self) -> list[Path]:
        if self._rows:
            self._write()
        self._writer.close()
        return [self._path]

    def _write(self) -> None:
        pa, columns = self._pa, []
        for column in self._schema:
            if column.name not in self._widths:
                columns.append(pa.array([row[column.name] for row, _ in self._rows], column.type))
                continue
            frames = [features[column.name] for _, features in self._rows]
            offsets = np.cumsum([0, *map(len, frames)], dtype=np.int32)
            values = pa.array((frames[0] if len(frames) == 1 else np.concatenate(frames)).reshape(-1))
            each = pa.FixedSizeListArray.from_arrays(values, self._widths[column.name][0])
            columns.append(pa.ListArray.from_arrays(pa.array(offsets), each).cast(column.type))
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
        self._rows, self._bytes = [], 0


class NpyWriter:
    """A ``.npy`` file ``[frames, values]`` a feature, and a table of which frames are whose."""

    # a header as long whatever the number of frames
    _HEADER = 128

    def __init__(self, folder: Path, name: str, widths: Widths) -> None:
        self._widths, self._rows_path = widths, folder / f"{name}.rows.jsonl"
        self._files: dict[str, tuple[Path, BinaryIO]] = {}
        self._frames = dict.fromkeys(widths, 0)
        self._rows: list[dict[str, Any]] = []
        for feature in widths:
            path = folder / f"{name}.{feature}.npy"
            self._files[feature] = path, path.open("wb")
            self._files[feature][1].write(bytes(self._HEADER))

    def add(self, row: dict[str, Any], features: dict[str, Array]) -> None:
        first = {feature: self._frames[feature] for feature in features}
        for feature, values in features.items():
            self._files[feature][1].write(np.ascontiguousarray(values).data)
            self._frames[feature] += len(values)
        last = {feature: self._frames[feature] for feature in features}
        self._rows.append({**row, "first": first, "last": last})

    def close(self) -> list[Path]:
        for feature, (_, file) in self._files.items():
            values, dtype = self._widths[feature]
            shape = (self._frames[feature], values)
            header = f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': {shape}, }}"
            length = self._HEADER - 10
            file.seek(0)
            file.write(b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + header.ljust(length - 1).encode() + b"\n")
            file.close()
        self._rows_path.write_text("".join(json.dumps(row) + "\n" for row in self._rows), encoding="utf-8")
        return [*(path for path, _ in self._files.values()), self._rows_path]


WRITERS: dict[str, Callable[[Path, str, Widths], Writer]] = {"parquet": ParquetWriter, "npy": NpyWriter}


def make(job: Job, folder: Path, settings: Settings, extractor: FeatureExtractor, widths: Widths, note: Note) -> None:
    """Make a shard and its record, and tell of every recording.

    Raises:
        WriteError: the folder cannot be written to.
    """
    scratch = folder / BOOKS / "unfinished" / f"{file_name(job.number)}.{os.getpid()}"
    rows: list[str] = []
    failed: dict[str, str] = {}
    seconds = 0.0
    try:
        scratch.mkdir(parents=True)
        writer: Writer = WRITERS[settings.format](scratch, file_name(job.number), widths)
        for path in job.recordings:
            note({"begin": path})
            result = job.given_up.get(path) or _features(path, extractor, widths, scratch, note)
            if isinstance(result, str):
                failed[path] = result
                note({"failed": path, "reason": result})
                continue
            row, features = result
            writer.add(row, features)
            rows.append(path)
            seconds += row["samples"] / row["sample_rate"]
            note({"row": path, "seconds": row["samples"] / row["sample_rate"]})
        for file in writer.close():
            _settle(file, folder / file.name)
        record = {"rows": rows, "failed": failed, "seconds": seconds}
        write_whole(record_path(folder, job.number), json.dumps(record, indent=1) + "\n", scratch)
    except OSError as error:
        raise WriteError(reason_of(error)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def is_text(path: str) -> bool:
    """Whether a path can be written in UTF-8: names of files are any bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _features(
    path: str, extractor: FeatureExtractor, widths: Widths, scratch: Path, note: Note
) -> str | tuple[dict[str, Any], dict[str, Array]]:
    """A recording's row and features, or why it has none."""
    if not is_text(path):
        return "its name is no text in UTF-8, and has no place in a table"
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            features, recording = extractor.of_file(path, scratch)
    except WriteError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a library raises of a recording is its reason
        return reason_of(error)
    for warning in caught:
        note({"warning": str(warning.message)})
    for name, values in features.items():
        if values.shape[1:] != (widths[name][0],):
            return f"{name} has {list(values.shape[1:])} values a frame, not {widths[name][0]}"
        features[name] = values.astype(widths[name][1], copy=False)
    row = {"path": path, "sample_rate": recording.rate, "channels": recording.channels, "samples": recording.samples}
    return {**row, "frames": len(features[extractor.features[0]])}, features


def write_whole(path: Path, text: str, scratch: Path) -> None:
    """Write a file that is there as a whole or not at all."""
    there = scratch / path.name
    there.write_text(text, encoding="utf-8")
    _settle(there, path)


def _settle(file: Path, to: Path) -> None:
    """Put a file on the disk and give it its name."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
    os.replace(file, to)
    folder = os.open(to.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
