"""extract: features of many recordings into a folder, resumed where they were interrupted."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mlx_spectro import distribution

from ..diagnostics import tables
from . import engines
from .blocks import WriteError
from .features import names_of, reason_of
from .functions import check_device
from .recordings import LONGEST, ListError, recordings_of
from .shards import BOOKS, WRITERS, Job, Settings, Widths, is_text, record_path, write_whole

SHARD_SIZE = 128


class ExtractionError(RuntimeError):
    """An extraction that cannot begin, or cannot go on."""


class Extraction(NamedTuple):
    """What an extraction came to."""

    folder: Path
    rows: int
    failed: dict[str, str]
    """Recordings without a row, and why."""
    seconds: float
    """Of audio in all rows."""


class Progress:
    """What an extraction tells of itself; does nothing with it."""

    def begin(self, done: int, total: int) -> None:
        """So many of all recordings were done before."""

    def event(self, event: dict[str, Any]) -> None:
        """What a worker tells."""


def extract(
    audio: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    features: str | Iterable[str] = "mel",
    out: str | os.PathLike[str] = "features",
    *,
    manifest: str | os.PathLike[str] | None = None,
    like: str = "librosa",
    rate: int | None = None,
    channel: int | None = None,
    longest: float = LONGEST,
    device: str = "cpu",
    format: str = "parquet",
    engine: str = "local",
    workers: int | None = None,
    shard_size: int = SHARD_SIZE,
    retry_failed: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Extraction:
    """Extract features of recordings into a folder, a row a recording.

    Called again after an interruption, it goes on: what is there stays, and in the end all is as if it had run through,
    byte for byte. Each process has one recording in memory, a block of one that is longer than ``longest``, and a few
    MB of features.

    Args:
        audio: Files, folders of them, and patterns such as ``"data/**/*.flac"``.
        features, like, rate, channel, longest, device, options: As in :class:`FeatureExtractor`.
        out: The folder; new, empty, or that of the same extraction.
        manifest: A file that names recordings, beside ``audio``: a path a line, JSON lines with ``path`` or
            ``audio_filepath``, or a ``.csv`` or ``.tsv`` table with such a column. Paths are relative to its folder.
        format: ``"parquet"``, a row a recording: path, sample rate in Hz, channels, samples, frames (of the first
            feature), and each feature as a list of frames, which are lists of fixed size; or ``"npy"``, an array
            ``[frames, values]`` a feature and shard, and JSON lines of which frames are whose.
        engine: ``"local"``, processes of this machine, or ``"ray"``, a Ray cluster that runs.
        workers: Processes, 0 for none but this one, or tasks. Default: one a core.
        shard_size: Recordings a file.
        retry_failed: Try again what failed before.
        progress: Is told how it goes.

    Returns:
        How many rows there are now, and which recordings have none.

    Raises:
        ExtractionError: another extraction's folder, one that another process is writing to, a cluster that is not
            there, no recordings, option values that the functions refuse, or a folder that cannot be written to.
        ValueError: an unknown feature or option, a device that is not there.
        ImportError: soundfile, the library, or what the format or engine needs, is missing.
    """
    if format not in WRITERS:
        raise ValueError(f"format must be one of {', '.join(WRITERS)}, got {format!r}")
    if engine not in engines.ENGINES:
        raise ValueError(f"engine must be one of {', '.join(engines.ENGINES)}, got {engine!r}")
    if workers is not None and workers < 0:
        raise ValueError(f"workers must be at least 0, got {workers}")
    if shard_size < 1:
        raise ValueError(f"shard_size must be at least 1, got {shard_size}")
    _need(like, format, engine)
    version = tables.versions().get(distribution.NAME, "")
    settings = Settings(names_of(features), like, options, rate, channel, longest, device, format, shard_size, version)
    settings.extractor()
    try:
        settings.as_json()
    except TypeError as error:
        raise ExtractionError(f"options are numbers, texts, and lists or tuples of them: {error}") from None
    if device != "cpu":
        check_device(device)
    try:
        recordings = recordings_of([audio] if isinstance(audio, (str, os.PathLike)) else audio, manifest)
    except ListError as error:
        raise ExtractionError(str(error)) from None
    folder = Path(os.path.abspath(out))
    if not is_text(str(folder)):
        raise ExtractionError(f"the name of the folder must be text in UTF-8, got {str(folder)!a}")
    try:
        _check_free(folder)
        with _locked(folder):
            begun = _begun(folder, settings, recordings)
            shards = [recordings[i : i + shard_size] for i in range(0, len(recordings), shard_size)]
            if retry_failed:
                _forget_failed(folder, len(shards))
            jobs = [Job(i, shard) for i, shard in enumerate(shards) if not record_path(folder, i).exists()]
            widths = _widths(settings, format) if jobs else {}
            if not begun:
                # options that are refused take no folder
                _begin(folder, settings, recordings)
            progress = progress or Progress()
            progress.begin(len(recordings) - sum(len(job.recordings) for job in jobs), len(recordings))
            if jobs:
                engines.ENGINES[engine](jobs, folder, settings, widths, progress.event, workers)
            return _total(folder, len(shards))
    except (WriteError, engines.EngineError) as error:
        raise ExtractionError(_unfinished(folder, str(error))) from error
    except OSError as error:
        raise ExtractionError(_unfinished(folder, f"{error.strerror or error}")) from error


# what computes features like a library's, and the extra that brings it
_LIBRARIES = {"librosa": ("librosa", "librosa"), "torchaudio": ("torch", "torch"), "native": ("mlx", "cpu")}


def _need(like: str, format: str, engine: str) -> None:
    needed = {"soundfile": "data"}
    if format == "parquet":
        needed["pyarrow"] = "data"
    if engine == "ray":
        needed["ray"] = "ray"
    for module, extra in needed.items():
        if importlib.util.find_spec(module) is None:
            raise ImportError(f"extraction needs {module}: {distribution.install(extra)}", name=module)
    module, extra = _LIBRARIES.get(like, ("", ""))
    if module and importlib.util.find_spec(module) is None:
        others = " or ".join(f"{name}'s" for name in _LIBRARIES if name != like)
        raise ImportError(
            f"features like {like}'s need {module}: {distribution.install(extra)}, or take those like {others}",
            name=module,
        )


def _widths(settings: Settings, format: str) -> Widths:
    try:
        widths = settings.extractor().values()
    except ImportError:
        raise
    except Exception as error:  # whatever a library raises of its options
        raise ExtractionError(f"{settings.like} refuses the options: {reason_of(error)}") from error
    empty = [name for name, (values, _) in widths.items() if not values]
    if empty:
        raise ExtractionError(f"by the options, {empty[0]} has no values")
    complex_ones = [name for name, (_, dtype) in widths.items() if dtype.kind == "c"]
    if complex_ones and format == "parquet":
        raise ExtractionError(
            f"by the options, {complex_ones[0]} is complex, which Parquet has no numbers for: take npy"
        )
    return widths


def _unfinished(folder: Path, reason: str) -> str:
    return f"{folder}: {reason}. What is there is whole; the same call goes on from it"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The folder is one extraction's; however that ends, its lock ends with it."""
    (folder / BOOKS).mkdir(parents=True, exist_ok=True)
    with (folder / BOOKS / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExtractionError(f"another extraction is writing to {folder}") from None
        yield


def _check_free(folder: Path) -> None:
    """ExtractionError where a folder holds something, and no extraction."""
    begun = not folder.is_dir() or (folder / BOOKS / "settings.json").exists()
    if not begun and any(entry.name != BOOKS for entry in folder.iterdir()):
        raise ExtractionError(f"{folder} is not empty, and holds no extraction: use another folder")


def _begun(folder: Path, settings: Settings, recordings: list[str]) -> bool:
    """Whether this extraction has begun here; an error where another has."""
    books = folder / BOOKS
    shutil.rmtree(books / "unfinished", ignore_errors=True)
    path = books / "settings.json"
    if not path.exists():
        _check_free(folder)
        return False
    theirs, ours = json.loads(path.read_text(encoding="utf-8")), json.loads(_told(settings, recordings))
    differ = [f"{name} {theirs.get(name)!r}, now {ours[name]!r}" for name in ours if theirs.get(name) != ours[name]]
    if differ:
        raise ExtractionError(f"{folder} holds another extraction ({'; '.join(differ)}): use another folder")
    return True


def _begin(folder: Path, settings: Settings, recordings: list[str]) -> None:
    scratch = folder / BOOKS / "unfinished" / "settings"
    scratch.mkdir(parents=True)
    write_whole(folder / BOOKS / "settings.json", _told(settings, recordings), scratch)
    scratch.rmdir()


def _told(settings: Settings, recordings: list[str]) -> str:
    """What an extraction is of, as a file tells it."""
    listing = "".join(f"{recording}\n" for recording in recordings)
    digest = hashlib.sha256(listing.encode(errors="surrogatepass")).hexdigest()
    return json.dumps({**settings.as_json(), "recordings": len(recordings), "sha256": digest}, indent=1) + "\n"


def _forget_failed(folder: Path, shards: int) -> None:
    for path in _records(folder, shards):
        if json.loads(path.read_text(encoding="utf-8"))["failed"]:
            path.unlink()


def _records(folder: Path, shards: int) -> list[Path]:
    return [path for i in range(shards) if (path := record_path(folder, i)).exists()]


def _total(folder: Path, shards: int) -> Extraction:
    failed: dict[str, str] = {}
    rows, seconds = 0, 0.0
    for path in _records(folder, shards):
        record = json.loads(path.read_text(encoding="utf-8"))
        rows += len(record["rows"])
        failed |= record["failed"]
        seconds += record["seconds"]
    shutil.rmtree(folder / BOOKS / "unfinished", ignore_errors=True)
    return Extraction(folder, rows, failed, seconds)
