"""``mlx-spectro parity`` where something that it needs is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

HIDDEN = """
import importlib.util, sys

find, gone = importlib.util.find_spec, set(sys.argv[1].split(","))

class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in gone:
            raise ModuleNotFoundError(f"No module named {name!r}")

importlib.util.find_spec = lambda name, *rest: None if name in gone else find(name, *rest)
sys.meta_path.insert(0, Gone())
sys.argv = ["mlx-spectro", "parity", *sys.argv[2:]]
from mlx_spectro.compat.runner import cli

cli.main()
"""


def parity_without(gone: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", HIDDEN, gone, *options], capture_output=True, text=True, timeout=300)


def test_where_there_is_nothing_to_compare_it_says_so_and_fails() -> None:
    done = parity_without("torch,torchaudio,librosa,transformers")
    assert done.returncode == 1
    assert "mlx-spectro parity: nothing was compared: " in done.stderr
    assert "torch is not installed" in done.stderr
    assert "pip install 'mlx-spectro-compat[parity]'" in done.stderr
    rows, unavailable = (int(text.split()[0]) for text in done.stdout.splitlines()[-1].split(", ")[:3:2])
    assert rows == unavailable > 0


def test_without_mlx_host_kernels_are_compared_and_native_rows_are_not_available() -> None:
    pytest.importorskip("librosa")
    pytest.importorskip("numba")
    done = parity_without("mlx", "--only", "magphase,zero_crossing_rate")
    assert done.returncode == 0, done.stderr
    assert "3 rows, 0 red, 1 not available" in done.stdout
    assert "not available: an MLX back end is not installed" in done.stdout


def test_a_gpu_without_mlx_is_a_line_that_names_the_extra() -> None:
    pytest.importorskip("numba")
    done = parity_without("mlx", "--device", "gpu")
    assert done.returncode == 1
    assert done.stderr.startswith("MLX has no back end here")
    assert "[cuda] for an NVIDIA GPU" in done.stderr
