"""Programs that none of us wrote run under the shim without a breach, and their profiles name every fallback."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parent / "real_programs.py"
CALLS = {
    "auraloss": {"torch.stft"},
    "openunmix": {"torch.stft", "torch.istft"},
    "resemblyzer": {"librosa.feature.melspectrogram"},
}


@pytest.mark.parametrize("name", CALLS)
def test_a_program_verifies_and_its_profile_names_every_fallback(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    if name == "resemblyzer":
        pytest.importorskip("librosa")
    command = [
        sys.executable,
        "-m",
        "mlx_spectro.compat",
        "--profile",
        "--verify",
        "--report",
        "run.json",
        str(PROGRAM),
    ]
    done = subprocess.run([*command, name], capture_output=True, text=True, timeout=180, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["breaches"] == 0
    served = [record for record in report["records"] if not record["reason"]]
    assert {record["function"] for record in served} == CALLS[name]
    assert all(0 < record["error"] <= record["limit"] for record in served)
    for record in report["records"]:
        assert Path(record["file"]).parts[-2] == name
        assert record["seconds"] > 0
        assert record["device"]
    fallbacks = done.stderr.partition("Fallbacks, slowest first")[2]
    assert all(record["reason"] in fallbacks for record in report["records"])
