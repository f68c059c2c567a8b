"""The libraries' own tests are compared outcome by outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("librosa")
pytest.importorskip("numba")

from parity_tests.upstream import __main__ as upstream
from parity_tests.upstream import suites

TESTS = """
import librosa, numpy, pytest
{more}
@pytest.mark.parametrize("n_fft", [64, 128])
def test_stft(n_fft):
    assert librosa.stft(numpy.ones(999), n_fft=n_fft).dtype == "complex128"
def test_whose(): assert librosa.stft.__module__.startswith("librosa")
def test_fails(): raise KeyError("either way")
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.xfail
def test_expected(): assert False
"""


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> None:
    def written(folder: Path) -> None:
        (folder / "tests").mkdir()
        (folder / "tests" / "test_own.py").write_text(TESTS.format(more=""))
        (folder / "tests" / "test_torn.py").write_text(TESTS.format(more="import nowhere"))

    monkeypatch.setitem(suites.SUITES, "librosa", written)


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["upstream", "librosa", *arguments])
    return upstream.main()


@pytest.mark.slow
def test_what_fails_with_ours_alone_is_told(
    suite: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    path = tmp_path / "outcomes.json"
    assert command(monkeypatch, "--json", str(path)) == 1
    own, torn = json.loads(path.read_text())
    assert own["without"] == {"failed": 1, "passed": 3, "skipped": 1, "xfailed": 1}
    assert own["with"] == {"failed": 2, "passed": 2, "skipped": 1, "xfailed": 1}
    assert own["only_with_ours"] == ["tests/test_own.py::test_whose"]
    assert own["either_way"] == {"KeyError: 'either way'": 1}
    assert own["calls"] == {"librosa.stft": [2, 0]}
    assert torn["without"] == torn["with"] == {"error": 1}
    assert list(torn["either_way"]) == ["E   ModuleNotFoundError: No module named 'nowhere'"]
    assert "test_whose: passed without, failed with" in capsys.readouterr().out

    # a portion takes the place of itself alone
    assert command(monkeypatch, "--json", str(path), "test_own.py", "-k", "skipped") == 0
    assert [one["keyword"] for one in json.loads(path.read_text())] == ["", "skipped", ""]
    # and a whole file the place of its portions
    assert command(monkeypatch, "--json", str(path), "test_own.py") == 1
    assert [one["keyword"] for one in json.loads(path.read_text())] == ["", ""]
    # nothing is left to run
    monkeypatch.setattr(upstream, "portion", None)
    assert command(monkeypatch, "--json", str(path), "--rest") == 0


def test_files_after_one_whose_tests_end_python_are_run(
    suite: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def portion(folder: Path, test_file: str, options: Any) -> dict[str, Any]:
        if test_file == "test_own.py":
            raise suites.SuiteError("pytest ended with status -11")
        return {"file": test_file, "keyword": "", "without": {}, "with": {}, "calls": {}, **upstream.compared({}, {})}

    path = tmp_path / "outcomes.json"
    monkeypatch.setattr(upstream, "portion", portion)
    assert command(monkeypatch, "--json", str(path)) == 2
    assert [one["file"] for one in json.loads(path.read_text())] == ["test_torn.py"]
    assert "test_own.py: pytest ended with status -11" in capsys.readouterr().err


def test_recordings_stand_in_for_those_of_librosa(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    suites._record(tmp_path / "data")
    music, speech = (soundfile.info(tmp_path / "data" / name) for name in ("test1_22050.wav", "test2_8000.wav"))
    assert (music.samplerate, music.channels, round(music.duration)) == (22_050, 2, 6)
    assert (speech.samplerate, speech.channels, round(speech.duration)) == (8_000, 1, 12)


def test_an_unknown_file_is_told(suite: None, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        command(monkeypatch, "test_none.py")
    assert ended.value.code == 2
    assert "librosa has no test_none.py; its files are test_own.py, test_torn.py" in capsys.readouterr().err


def test_what_pip_cannot_download_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "version", lambda name: "0.0.99")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(suites.SuiteError, match=r"the sdist of librosa 0\.0\.99 cannot be had"):
        suites.librosa(tmp_path)
