"""Where a library's own tests come from."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

AUDIO = Path(__file__).parents[1] / "table" / "audio"
# recordings that librosa's tests read and its sdist lacks; of those here, and samples a second
_RECORDINGS = {
    "test1_22050.wav": ("music_48k_stereo.flac", 22_050),
    "test1_22050.mp3": ("music_48k_stereo.flac", 22_050),
    "test1_44100.wav": ("music_48k_stereo.flac", 44_100),
    "test2_8000.wav": ("speech_8k.flac", 8_000),
}


class SuiteError(RuntimeError):
    """Tests that cannot be had."""


def librosa(folder: Path) -> None:
    """The ``tests`` of librosa's sdist of the installed version, with recordings of ours for those that it lacks."""
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
    _record(folder / "tests" / "data")


def _record(folder: Path) -> None:
    import librosa
    import soundfile

    folder.mkdir(exist_ok=True)
    for name, (source, rate) in _RECORDINGS.items():
        if not (folder / name).exists():
            samples, recorded = soundfile.read(AUDIO / source, dtype="float32", always_2d=True)
            soundfile.write(folder / name, librosa.resample(samples.T, orig_sr=recorded, target_sr=rate).T, rate)


def torch(folder: Path) -> None:
    """What torch's wheel holds of its own tests: samples of its spectral functions, and what is checked of each."""
    (folder / "tests").mkdir()
    shutil.copy(Path(__file__).with_name("torch_operators.py"), folder / "tests")


SUITES: dict[str, Callable[[Path], None]] = {"librosa": librosa, "torch": torch}
