"""Runs the gallery's programs under the shim."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
OUT = ROOT / "out" / "gallery"
AUDIO = ROOT / "parity_tests" / "table" / "audio"
MUSIC, SPEECH = "music_48k_stereo.flac", "speech_8k.flac"
# what each is run on
PROGRAMS = {
    "separation": MUSIC,
    "foreground": MUSIC,
    "onsets": MUSIC,
    "beats": MUSIC,
    "chroma": MUSIC,
    "constantq": MUSIC,
    "pitch": SPEECH,
    "resynthesis": SPEECH,
    "training": SPEECH,
}


def run(name: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a program; what it makes goes to ``folder``."""
    program = Path(__file__).parent / f"{name}.py"
    command = [sys.executable, "-m", "mlx_spectro.compat", *options, program, AUDIO / PROGRAMS[name], folder]
    environment = {**os.environ, "MPLBACKEND": "agg", "OMP_WAIT_POLICY": "passive"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def run_all() -> None:
    """Make what the gallery's page shows, in ``out/gallery``."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        done = run(name, OUT)
        if done.returncode:
            raise SystemExit(f"{name}:\n{done.stderr}")
        (OUT / f"{name}.txt").write_text(done.stdout, encoding="utf-8")
