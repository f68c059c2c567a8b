"""The shim in a notebook."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip("IPython")
pytest.importorskip("torch")

SESSION = """
import json
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

shell = InteractiveShell.instance()
found = []
for cell in json.loads(input()):
    with capture_output() as captured:
        result = shell.run_cell(cell)
    pages = [output.data.get("text/html", "") for output in captured.outputs]
    error = result.error_before_exec or result.error_in_exec
    found.append([captured.stdout, "".join(pages), repr(error)])
print(json.dumps(found))
"""
STFT = "(torch.ones(500), 64, window=torch.ones(64), return_complex=True)"


def session(*cells: str) -> list[tuple[str, str, str]]:
    """What each cell printed, showed as HTML and raised."""
    done = subprocess.run(
        [sys.executable, "-c", SESSION], input=json.dumps(cells), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: list[tuple[str, str, str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_cell_s_profile_and_what_was_imported_too_early() -> None:
    _, loaded, early, again, verified, outside, wrong, unloaded = session(
        "import torch\nfrom torch import stft as early\nfrom mlx_spectro import compat\ncompat.route('ours')",
        "%load_ext mlx_spectro.compat",
        f"%%mlx_spectro_profile\nz = early{STFT}\nprint('inside')",
        f"from torch.functional import stft as early\n_ = early{STFT}",
        f"%%mlx_spectro_profile --verify\nearly{STFT}.shape\ntorch.stft{STFT}",
        "print(compat.report()[0].calls, compat.diagnostics.profile.on, compat.numerics())",
        "%%mlx_spectro_profile --fast\n1",
        "%unload_ext mlx_spectro.compat\nprint(torch.stft.__module__)",
    )
    advice = (
        "__main__.early is torch's own function, bound before mlx_spectro was there: run 'from torch.functional import"
    )
    assert advice in loaded[0]
    assert "inside" in early[0]
    assert "none of the functions that mlx_spectro serves was called" in early[1]
    assert "__main__.early is torch&#39;s own function" in early[1]
    assert again[2] == "None"
    assert "Verified calls" in verified[1]
    assert "torch.stft" in verified[1]
    assert "own function" not in verified[1]
    assert outside[0].split() == ["1", "False", "fast"]
    assert "takes --verify or nothing" in wrong[0] + wrong[2]
    assert "torch.functional" in unloaded[0]


def test_an_exception_in_a_profiled_cell_fails_the_cell_and_the_profile_is_shown() -> None:
    failed, mistyped, after = session(
        "%load_ext mlx_spectro.compat",
        f"%%mlx_spectro_profile\nimport torch\n_ = torch.stft{STFT}\ndef fail(): raise KeyError('a mistake')\nfail()",
        "%%mlx_spectro_profile\nx = (1",
        "1 / 0",
    )[1:]
    assert failed[2] == "KeyError('a mistake')"
    assert failed[0].count("Traceback (most recent call last)") == 1
    assert "notebook.py" not in failed[0]
    assert "torch.stft" in failed[1]
    assert mistyped[2].startswith("SyntaxError(")
    # afterwards the shell shows tracebacks as before
    assert "ZeroDivisionError" in after[0]
