"""``mlx-spectro warm``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")
pytest.importorskip("torchaudio")

from ..table import warm as command
from ..table.case import Row


def python(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "HOME": str(folder)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=600)


def warm(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from mlx_spectro.compat.runner import cli; sys.argv[:1] = ['mlx-spectro', 'warm']; cli.main()"
    return python(folder, code, *names)


def compiled(folder: Path) -> set[Path]:
    return set(folder.rglob("*.nbc"))


def test_a_warm_cache_has_all_that_a_function_compiles(tmp_path: Path) -> None:
    done = warm(tmp_path, "AmplitudeToDB")
    assert done.returncode == 0, done.stderr
    assert "torchaudio.transforms.AmplitudeToDB: " in done.stdout
    ready = compiled(tmp_path)
    assert ready
    code = """
from mlx_spectro.compat import report, route, torch, torchaudio
route("ours")
for dtype in (torch.float32, torch.float64):
    torchaudio.transforms.AmplitudeToDB()(torch.rand(3, 20, 30, dtype=dtype))
(record,) = report()
print(record.reason or "ours")
"""
    done = python(tmp_path, code)
    assert done.stdout == "ours\n", done.stderr
    assert compiled(tmp_path) == ready


def test_an_unknown_name_fails(tmp_path: Path) -> None:
    done = warm(tmp_path, "torch.sfft", "nothing")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "mlx-spectro warm: no function here is called like torch.sfft or nothing\n"
    assert not compiled(tmp_path)


def test_functions_of_a_missing_library_name_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Row, "missing", lambda row: row.against)
    assert command.main(["stft"], "mlx-spectro warm") == 1
    assert capsys.readouterr().err == "mlx-spectro warm: these functions need librosa, torch\n"
