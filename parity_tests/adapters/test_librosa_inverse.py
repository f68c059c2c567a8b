"""librosa's ways back from mel spectrograms, beyond what a row of the parity table can say of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

librosa = pytest.importorskip("librosa")

from mlx_spectro import compat
from mlx_spectro.compat import librosa as shim
from mlx_spectro.compat.contract.adapter import adapters
from mlx_spectro.compat.librosa import _nnls
from mlx_spectro.ops import backend

from ..table.cases.librosa_inverse import MELS, mel_power, noise
from ..table.signals import white_noise

pytestmark = pytest.mark.skipif(backend.for_host_arrays() != "host", reason="host kernels need numba")


@pytest.mark.parametrize("n_iter", [0, 1, 3])
@pytest.mark.parametrize("double", [False, True])
def test_audio_is_librosa_s_from_the_same_random_numbers(
    n_iter: int, double: bool, same_draws: None, ours: None
) -> None:
    kind = np.float64 if double else np.float32
    calls: list[tuple[str, Any, dict[str, Any]]] = [
        ("mel_to_audio", mel_power(white_noise()).astype(kind), {}),
        ("mfcc_to_audio", noise(13, 30).astype(kind), {"n_mels": 20}),
    ]
    for name, values, more in calls:
        options = {**MELS, **more, "n_iter": n_iter, "dtype": kind}
        mine, theirs = (getattr(module.feature.inverse, name)(values, **options) for module in (shim, librosa))
        limit = adapters[f"librosa.feature.inverse.{name}"].function.limit(kind, n_iter, float(np.abs(theirs).max()))
        assert np.abs(mine - theirs).max() <= limit
    assert [record.reason for record in compat.report()] == ["", ""]


@pytest.mark.parametrize("name", ["mel_to_audio", "mfcc_to_audio"])
def test_random_audio_is_not_compared_with_other_random_audio(name: str) -> None:
    with compat.numerics("verify"):
        getattr(shim.feature.inverse, name)(noise(20, 9), sr=8000, n_fft=256, n_iter=1) if name == "mel_to_audio" else (
            shim.feature.inverse.mfcc_to_audio(noise(13, 9), n_mels=20, sr=8000, n_fft=256, n_iter=1)
        )
    (record,) = compat.report()
    assert "drawn at random" in str(record.reason)


def test_installed_it_serves_what_librosa_calls_of_itself() -> None:
    compat.install("librosa")
    with compat.route("ours"):
        librosa.feature.inverse.mel_to_audio(noise(20, 9), **MELS, n_iter=1)
        librosa.util.nnls(noise(20, 9), noise(20, 9))
    assert {record.function for record in compat.report()} == {
        "librosa.feature.inverse.mel_to_audio", "librosa.util.nnls"
    }  # fmt: skip
    assert {record.reason for record in compat.report()} == {""}


def test_of_another_scipy_librosa_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_nnls, "_ARGUMENTS", "(some, other, arguments)")
    _nnls._step.cache_clear()
    try:
        shim.util.nnls(noise(20, 9), noise(20, 9))
    finally:
        _nnls._step.cache_clear()
    assert "this version of SciPy" in str(compat.report()[0].reason)


def test_what_scipy_would_give_up_librosa_does(monkeypatch: pytest.MonkeyPatch, ours: None) -> None:
    monkeypatch.setattr(_nnls, "_MOST_ITERATIONS", 1)
    basis, targets = noise(20, 9), noise(20, 30)
    assert np.array_equal(shim.util.nnls(basis, targets), librosa.util.nnls(basis, targets))
    assert "longer" in str(compat.report()[0].reason)
