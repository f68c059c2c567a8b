"""A person's own recording among the signals of the parity table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ..table import __main__ as parity
from ..table import signals
from ..table.case import Sample, each_signal

soundfile = pytest.importorskip("soundfile")


@pytest.fixture(autouse=True)
def signals_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "SIGNALS", dict(signals.SIGNALS))
    monkeypatch.setattr(signals, "RECORDINGS", set(signals.RECORDINGS))
    monkeypatch.setattr(signals, "own_file", "")


@pytest.mark.parametrize(("channels", "alike"), [(1, "speech"), (2, "music")])
def test_it_goes_where_the_recording_goes_that_is_like_it(channels: int, alike: str, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (12 * 8000, channels))
    soundfile.write(tmp_path / "My tape 1.wav", samples, 8000, subtype="FLOAT")
    signals.add_recording(tmp_path / "My tape 1.wav")
    (found,) = (s for s in each_signal(lambda x: Sample("", (x,)), [alike]) if s.label == "My tape 1.wav")
    expected = samples[:80000].T.squeeze().astype(np.float32)
    assert np.array_equal(found.args[0], expected)
    others = {"speech", "music"} - {alike}
    assert {s.label for s in each_signal(lambda x: Sample("", (x,)), others)} == others


def test_a_report_shows_it_under_its_file_s_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    for library in ("jinja2", "matplotlib"):
        pytest.importorskip(library)
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    soundfile.write(tmp_path / "My tape 1.wav", samples, 8000)
    page = tmp_path / "page.html"
    asked = ["--only", "torch.istft", "--audio", str(tmp_path / "My tape 1.wav"), "--html", str(page)]
    assert parity.main(asked) == 0, capsys.readouterr().out
    pictures = re.findall('alt="(.*): ', page.read_text(encoding="utf-8"))
    assert pictures
    assert all(" of My tape 1.wav" in picture for picture in pictures)


def test_what_is_no_recording_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "short.wav", np.zeros(100), 8000)
    (tmp_path / "text.wav").write_text("no samples")
    for name, message in (
        ("short.wav", "must last a second and have one or two channels, got 0.013 s of 1 channels"),
        ("text.wav", "Format not recognised"),
        ("none.wav", "there is no file"),
    ):
        with pytest.raises(SystemExit, match="2"):
            parity.main(["--audio", str(tmp_path / name)], prog="mlx-spectro parity")
        said = capsys.readouterr().err
        assert message in said
        assert "mlx-spectro parity: error" in said
