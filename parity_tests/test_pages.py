"""The reports as pages: opened in a browser, on paper and in the dark."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mlx_spectro.compat import reporting
from mlx_spectro.compat.records import Record

pytest.importorskip("jinja2")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")


def browse(page: Path, *options: str) -> str:
    """What the browser writes to its console, its own log excluded."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    done = subprocess.run([*command, *options, page.as_uri()], capture_output=True, text=True, timeout=90)
    return "\n".join(line for line in done.stderr.splitlines() if ":CONSOLE" in line)


@pytest.fixture(scope="module", params=["run", "parity", "benchmark"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of each kind."""
    path = tmp_path_factory.mktemp("pages") / f"{request.param}.html"
    if request.param == "run":
        served = Record("torch.stft", "", "<lambda>.py", 3, 7, "cpu", 0.1, 0.05, 0.4, 2.0, 1.0, 7, "differs", "f.npz")
        fallback = Record("torch.istft", "a <b>bold</b> reason", "a.py", 9, 2, "cpu", 0.2)
        run = reporting.Run(
            "program.py", [served, fallback], 1.5, 3, ["x is torch's own"], profiled=True, verified=True
        )
        run.write(path)
        return path
    if request.param == "benchmark":
        from benchmarks import page as benchmark

        times = {"torch": (4e-3, 1.0), "host": (1e-3, 4.0), "plain": (2e-2, 0.2)}
        figures = {by: {"seconds": s, "ratio": r, "floors": 9.0, "peak": None} for by, (s, r) in times.items()}
        row = {"name": "torch.stft", "size": "1 x 16000 512/128", "note": "a note", "contenders": figures}
        report = {"device": "cpu", "versions": {"mlx": "1"}, "copy_bytes_per_second": 1e10, "rows": [row]}
        path.write_text(benchmark.as_html(report), encoding="utf-8")
        return path
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    from mlx_spectro import backend

    from . import measure
    from . import report as parity
    from .cases import table

    (row,) = (row for row in table("torch.stft") if row.name == "torch.stft")
    outcomes = [measure.run(row, backend.implementations()[-1], measure.evaluate, pictures=True)]
    parity.write_html(outcomes, "cpu", path)
    return path


def test_a_page_needs_no_other_file(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", text)
    assert "@import" not in text
    assert "<b>bold</b>" not in text


@pytest.mark.skipif(not BROWSER, reason="no Chromium is installed")
def test_a_browser_shows_a_page_without_complaint(page: Path, tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    light, dark, paper = tmp_path / "light.png", tmp_path / "dark.png", tmp_path / "paper.pdf"
    assert browse(page, f"--screenshot={light}") == ""
    assert browse(page, f"--screenshot={dark}", "--blink-settings=preferredColorScheme=0") == ""
    assert browse(page, f"--print-to-pdf={paper}") == ""
    assert image.imread(light)[-1, 0, :3].min() > 0.9
    assert image.imread(dark)[-1, 0, :3].max() < 0.2
    assert paper.read_bytes().startswith(b"%PDF")


@pytest.mark.skipif(not BROWSER, reason="no Chromium is installed")
def test_a_complaint_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "broken.html"
    page.write_text("<script>undefinedFunction()</script>")
    assert "undefinedFunction is not defined" in browse(page, f"--screenshot={tmp_path / 'x.png'}")
