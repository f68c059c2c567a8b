"""The reports as pages: opened in a browser, on paper and in the dark."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mlx_spectro.compat.contract.records import Record
from mlx_spectro.compat.diagnostics.report import Run
from mlx_spectro.ops import backend

for library in ("jinja2", "matplotlib"):
    pytest.importorskip(library)

from ..table import measure, pictures
from ..table import report as parity
from ..table.cases import table

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
        run = Run("program.py", [served, fallback], 1.5, 3, ["x is torch's own"], profiled=True, verified=True)
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
    (of_stft,) = (row for row in table("torch.stft") if row.name == "torch.stft")
    outcomes = [measure.run(of_stft, backend.implementations()[-1], measure.evaluate, pictures=True)]
    parity.write_html(outcomes, "cpu", path)
    return path


def test_a_page_needs_no_other_file(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", text)
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


def outcome(name: str, implementation: backend.Implementation, worst: float = 0.0) -> measure.Outcome:
    """A row's outcome, with pictures of noise, which compress worst."""
    (row,) = (row for row in table(name) if row.name == name)
    found = measure.Outcome(row, implementation, samples=3)
    found.ours.worst = worst
    rng = np.random.default_rng(0)
    for label in ("speech", "music"):
        ours, theirs = rng.standard_normal((2, 513, 900))
        found.pictures.append(pictures.picture(label, False, ours, theirs))
    return found


def test_a_parity_page_begins_with_a_summary_of_modules_and_what_is_red(tmp_path: Path) -> None:
    names = ("torch.stft", "torch.istft", "librosa.stft", "SpectralTransform.stft")
    outcomes = [outcome(name, by, float(name == "torch.istft")) for name in names for by in ("plain", "host")]
    path = tmp_path / "parity.html"
    parity.write_html(outcomes, "cpu", path)
    text = path.read_text(encoding="utf-8")
    modules = ["librosa", "mlx_spectro, on MLX arrays", "torch"]
    assert re.findall(r'<a href="#.*">(.*)</a>', text) == modules
    assert re.findall(r"<h2 id=.*>(.*)</h2>", text) == modules
    assert "8 rows, 2 red" in text
    assert text.index('<caption class="bad">Red') < text.index("<h2")
    # one function's pictures are shown for both implementations together, unless they are red
    shown = [len(re.findall(f'<img alt="{re.escape(name)} of', text)) for name in names]
    assert shown == [3, 2 * 2 * 3, 3, 3]


def test_a_picture_is_small(tmp_path: Path) -> None:
    # 3 MB for a page of a hundred functions
    size = sum(len(data) for _, data in outcome("torch.stft", "plain").pictures[0].panels())
    assert size < 30_000


def test_a_picture_shows_where_a_single_value_differs() -> None:
    theirs = np.random.default_rng(0).uniform(1, 2, (1025, 3000))
    ours = theirs.copy()
    ours[700, 1234] += 1e-3
    found = pictures.picture("", False, ours, theirs)
    height, width = found.difference.shape
    row, column = np.unravel_index(found.difference.argmax(), found.difference.shape)
    # the lowest bin is at the bottom
    assert (height - 1 - row, column) == (700 * height // 1025, 1234 * width // 3000)
    assert found.apart == pytest.approx(1e-3 / theirs.max())
