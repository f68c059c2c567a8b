"""What a person is told of the first compilation on a machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="where caches lie is told otherwise"),
]

IMPORTS = """import numpy as np
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import FrameStatistic
from mlx_spectro.kernels import cpu"""
CALLS = {
    "energy": "cpu.run(FrameStatistic(Framing(16, 8), 'norm'), np.ones((1, 99), np.float32))",
    "phase": "cpu.magphase(np.ones((2, 9), np.complex64))",
    "compiler": "import gc, sys; print('numba.np.arrayobj' in sys.modules, gc.isenabled(), file=sys.stderr)",
}


def said(cache: Path, *calls: str) -> str:
    """What a process with no logging of its own writes to stderr."""
    code = "\n".join([IMPORTS, *(CALLS[call] for call in calls)])
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_the_first_compilation_is_told_once_a_machine_and_how_to_have_it_done_before(tmp_path: Path) -> None:
    first = said(tmp_path, "energy", "energy")
    assert first.count("mlx_spectro is compiling host kernels") == 1
    assert str(tmp_path) in first
    assert "later runs load them" in first
    # neither a process that loads nor one that compiles one kernel more says anything
    assert said(tmp_path, "energy") == ""
    assert said(tmp_path, "energy", "phase") == ""


def test_what_was_compiled_is_loaded_without_the_compiler_s_own_parts(tmp_path: Path) -> None:
    assert said(tmp_path, "energy", "compiler").endswith("True True\n")
    assert said(tmp_path, "energy", "compiler") == "False True\n"


def test_doctor_tells_compiling_from_loading(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    for compiled in (True, False):
        done = subprocess.run(
            [sys.executable, "-m", "mlx_spectro.compat", "doctor"], env=environment, capture_output=True, text=True
        )
        (line,) = (line for line in done.stdout.splitlines() if line.startswith("host kernels"))
        assert ("compiling included" in line) is compiled
