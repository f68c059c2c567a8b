"""The shim in the processes that a program starts, and their records on their way back to it.

A child may end in any way, killed by its pool included: its counters lie in a file that it maps into memory.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from mlx_spectro import interrupts

from ..contract import records
from ..contract.records import Record
from ..diagnostics import profile, reproduction
from ..install import installer

logger = logging.getLogger("mlx_spectro.compat")

_VARIABLE = "MLX_SPECTRO_RUN"
_STARTUP = str(Path(__file__).parents[1] / "install" / "startup")
_NUMBERS = ("calls", "seconds", "longest", "once", "reference", "error", "limit", "breaches")
_MOST = 4096


class Mirror:
    """One process's records in two files: the texts as lines of JSON, the numbers as float64."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free = itertools.count()
        self._slots: dict[tuple[str, str, str, int], int] = {}
        self._texts: dict[int, tuple[str, str, str]] = {}
        self._numbers: Any = None
        self._lines = -1

    def write(self, record: Record) -> None:
        """Bring what the files say of ``record`` up to date; without room for them nothing reaches the program."""
        try:
            self._write(record)
        except OSError as error:
            if interrupts.by_handler(error):
                raise
            logger.warning("what this process has us serve is not in the report: %s", error)
            records.mirror_to(None)

    def _write(self, record: Record) -> None:
        if self._numbers is None and not self._open():
            return
        key = (record.function, record.reason, record.file, record.line)
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots.setdefault(key, next(self._free))
        if slot >= _MOST:
            return
        self._numbers[slot] = [getattr(record, name) for name in _NUMBERS]
        texts = (record.device, record.problem, record.reproduction)
        if self._texts.get(slot) != texts:
            self._texts[slot] = texts
            os.write(self._lines, (json.dumps([slot, *key, *texts]) + "\n").encode())

    def _open(self) -> bool:
        # the program that wanted the records may have ended before its child
        if not self._folder.is_dir():
            return False
        stem = self._folder / f"{os.getpid()}-{time.time_ns()}"
        # written, not only mapped: where a disk is full, a page that has no place yet ends the process
        np.zeros((_MOST, len(_NUMBERS))).tofile(f"{stem}.f64")
        self._lines = os.open(f"{stem}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._numbers = np.memmap(f"{stem}.f64", np.float64, "r+", shape=(_MOST, len(_NUMBERS)))
        return True


def collect(folder: Path) -> list[list[Record]]:
    """The records of each child that wrote some."""
    return [_read(path) for path in sorted(folder.glob("*.jsonl"))]


def _read(path: Path) -> list[Record]:
    numbers = np.fromfile(path.with_suffix(".f64"), np.float64).reshape(_MOST, -1)
    by_slot: dict[int, Record] = {}
    # a child killed while it wrote leaves half a line
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            slot, function, reason, file, number, device, problem, reproduction = json.loads(line)
            values = dict(zip(_NUMBERS, numbers[slot].tolist(), strict=True))
            values |= {"calls": int(values["calls"]), "breaches": int(values["breaches"])}
            texts = {"device": device, "problem": problem, "reproduction": reproduction}
            by_slot[slot] = Record(function, reason, file, number, **values, **texts)
    return list(by_slot.values())


def expect(folder: Path | None) -> None:
    """Have the processes that this one starts, or forks, run under the shim as it does.

    Args:
        folder: Where they are to leave their records; None where nobody asks for them.
    """
    breaches = None if reproduction.folder is None else str(reproduction.folder.resolve())
    place = None if folder is None else str(folder)
    os.environ[_VARIABLE] = json.dumps({"folder": place, "profile": profile.on, "breaches": breaches})
    others = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = _STARTUP + (os.pathsep + others if others else "")
    if folder is not None:
        _watch_forks(folder)


def join() -> None:
    """In a child: run under the shim as the program that started it does."""
    run = json.loads(os.environ[_VARIABLE])
    profile.on = run["profile"]
    reproduction.folder = None if run["breaches"] is None else Path(run["breaches"])
    if run["folder"] is not None:
        folder = Path(run["folder"])
        records.mirror_to(Mirror(folder))
        _watch_forks(folder)
    if reproduction.folder is not None:
        profile.load_kernels()
    installer.install()


def _watch_forks(folder: Path) -> None:
    def begin_anew() -> None:
        records.reset()
        records.mirror_to(Mirror(folder))

    os.register_at_fork(after_in_child=begin_anew)
