"""Audio files without torchaudio: what is written is read, what is not the default's is said."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
soundfile = pytest.importorskip("soundfile")

from mlx_spectro.compat.plain import torchaudio as plain

X = torch.from_numpy(np.random.default_rng(1).uniform(-0.9, 0.9, (2, 500)).astype(np.float32))
# of 16 bits, to the next step
STEP = 2.0**-15


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_what_is_written_is_read(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"audio.{ending}"
    plain.save(path, X, 8000)
    y, rate = plain.load(path)
    assert rate == 8000 and y.dtype == torch.float32 and y.is_contiguous()
    assert (y - X).abs().max() <= STEP
    # as soundfile reads it
    assert np.array_equal(y.t().numpy(), soundfile.read(path, dtype="float32")[0])
    told = plain.info(path)
    assert told == plain.AudioMetaData(8000, 500, 2, 16, "PCM_S")


def test_a_part_is_read(tmp_path: Path) -> None:
    path = str(tmp_path / "audio.wav")
    plain.save(path, X.t(), 8000, channels_first=False, encoding="PCM_F", bits_per_sample=32)
    assert torch.equal(plain.load(path)[0], X)
    assert torch.equal(plain.load(path, frame_offset=100, num_frames=50)[0], X[:, 100:150])
    assert torch.equal(plain.load(path, frame_offset=480, num_frames=50, channels_first=False)[0], X[:, 480:].t())
    for offset, count in ((500, -1), (900, 5), (0, 0)):
        assert plain.load(path, offset, count)[0].shape == (2, 0)
    assert plain.info(path).encoding == "PCM_F" and plain.info(path).bits_per_sample == 32


def test_open_files_are_read_and_written() -> None:
    place = io.BytesIO()
    plain.save(place, X[0], 16000, format="wav")
    place.seek(0)
    y, rate = plain.load(place)
    assert rate == 16000 and y.shape == (1, 500)
    assert (y[0] - X[0]).abs().max() <= STEP


def test_what_has_no_effect_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "audio.wav"
    with warnings.catch_warnings(record=True) as none:
        warnings.simplefilter("always")
        plain.save(path, X, 8000)
        plain.load(path)
    assert none == []
    with pytest.warns(UserWarning, match="normalize has no effect"):
        plain.load(path, normalize=False)
    with pytest.warns(UserWarning, match="backend has no effect"):
        plain.save(path, X, 8000, backend="sox")


def test_errors_say_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audio.wav"
    for src, rate in ((X.numpy(), 8000), (X, 0), (X[None], 8000)):
        with pytest.raises(ValueError, match="must be"):
            plain.save(path, src, rate)
    with pytest.raises(ValueError, match="no encoding 'PCM_S' of 12 bits"):
        plain.save(path, X, 8000, bits_per_sample=12)
    with pytest.raises(RuntimeError, match="cannot be opened"):
        plain.load(tmp_path / "nothing.wav")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    for call in (lambda: plain.load(path), lambda: plain.info(path), lambda: plain.save(path, X, 8000)):
        with pytest.raises(ImportError, match="pip install soundfile"):
            call()
