"""What was measured on this machine, kept from one process to the next: launch geometries, and where a GPU pays."""

from __future__ import annotations

import functools
import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

from .. import _check, caches, interrupts

logger = logging.getLogger("mlx_spectro")
# a signal handler or a finalizer may call us while its thread holds it
_lock = threading.RLock()
# the entries of the file, and this process's own
_table: dict[str, Any] | None = None
_LOST = "what was measured is measured again by the next process"


@functools.cache
def path() -> Path | None:
    """The file: ``SPEC_MLX_AUTOTUNE_CACHE_PATH``, or one in the user's cache; None for a user without a home."""
    from_env = os.environ.get("SPEC_MLX_AUTOTUNE_CACHE_PATH")
    if from_env:
        return Path(from_env)
    ours = caches.folder()
    return None if ours is None else ours / "autotune.json"


@functools.cache
def persists() -> bool:
    """Whether the file is read and written: ``SPEC_MLX_AUTOTUNE_PERSIST`` is not 0."""
    return _check.switch("SPEC_MLX_AUTOTUNE_PERSIST", default=True)


def entries() -> dict[str, Any]:
    """Every entry by its key."""
    return dict(_entries())


def get(key: str) -> Any:
    """The entry of a key, None where there is none."""
    return _entries().get(key)


def put(key: str, value: Any) -> None:
    """Keep an entry, beside those that other processes have written since."""
    with _lock:
        entries = _entries()
        entries[key] = value
        if not persists():
            return
        file = path()
        if file is None:
            _say(f"there is no home folder to write to: {_LOST}")
            return
        try:
            entries.update({other: entry for other, entry in _read(file).items() if other not in entries})
            _write(file, entries)
        except OSError as error:
            if interrupts.by_handler(error):
                raise
            _say(f"{file} cannot be written ({error}): {_LOST}")


def _entries() -> dict[str, Any]:
    global _table
    if _table is None:
        file = path()
        entries = _read(file) if file is not None and persists() else {}
        _table = entries if _table is None else _table
    return _table


def _read(file: Path) -> dict[str, Any]:
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(entries, dict):
            return entries
        problem = "it holds no entries"
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        if interrupts.by_handler(error):
            raise
        problem = str(error)
    _say(f"{file} is ignored, for it cannot be read: {problem}")
    return {}


def _write(file: Path, entries: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    caches.write_whole(file, json.dumps(entries, indent=1, sort_keys=True).encode())


_warned = False


def _say(message: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        logger.warning(message)


def forget() -> None:
    """Drop what this process knows: it asks the environment and reads the file again."""
    global _table, _warned
    _table, _warned = None, False
    path.cache_clear()
    persists.cache_clear()
