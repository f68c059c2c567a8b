"""Where a library's own tests come from."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path


class SuiteError(RuntimeError):
    """Tests that cannot be had."""


def librosa(folder: Path) -> None:
    """The ``tests`` of librosa's sdist of the installed version, which holds no recordings and no pictures."""
    number = version("librosa")
    # without a wheel: tests are in the sdist alone
    command = ["download", "--quiet", "--no-deps", "--no-binary", "librosa", "--dest", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *command, f"librosa=={number}"], capture_output=True, text=True, check=False
    )
    archives = [*folder.glob("librosa-*.tar.gz")]
    if done.returncode or not archives:
        raise SuiteError(f"the sdist of librosa {number} cannot be had: {done.stderr.strip()}")
    with tarfile.open(archives[0]) as archive:
        members = [member for member in archive if member.name.split("/")[1:2] == ["tests"] and member.isfile()]
        for member in members:
            member.name = member.name.partition("/")[2]
            archive.extract(member, folder, filter="data")
    archives[0].unlink()


def torch(folder: Path) -> None:
    """What torch's wheel holds of its own tests: samples of its spectral functions, and what is checked of each."""
    (folder / "tests").mkdir()
    shutil.copy(Path(__file__).with_name("torch_operators.py"), folder / "tests")


SUITES: dict[str, Callable[[Path], None]] = {"librosa": librosa, "torch": torch}
