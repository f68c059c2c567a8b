"""MLX arrays in half precision through the adapters: torch sees the same type, and gives it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

mx = pytest.importorskip("mlx.core")
torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")

from mlx_spectro import compat
from mlx_spectro.compat.arrays import kinds

HALF = {mx.bfloat16: torch.bfloat16, mx.float16: torch.float16}


def noise(dtype: Any, *shape: int) -> tuple[Any, Any]:
    """The same numbers in MLX and in torch."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return mx.array(x).astype(dtype), torch.from_numpy(x).to(HALF[dtype])


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("numerics", ["fast", "strict", "verify"])
def test_half_precision_goes_to_torch_and_comes_back_as_it_is(dtype: Any, numerics: Any, ours: None) -> None:
    x, t = noise(dtype, 2, 3000)
    mel = {"sample_rate": 16000, "n_fft": 400, "n_mels": 20}
    calls: dict[str, Callable[[Any, Any], Any]] = {
        "AmplitudeToDB": lambda library, x: library.transforms.AmplitudeToDB()(abs(x)),
        "MelSpectrogram": lambda library, x: library.transforms.MelSpectrogram(**mel)(x),
        "Spectrogram": lambda library, x: library.transforms.Spectrogram(400)(x),
    }
    for name, call in calls.items():
        with compat.numerics(numerics):
            found, expected = call(compat.torchaudio, x), call(torchaudio, t)
        assert isinstance(found, mx.array), name
        assert str(found.dtype).rpartition(".")[2] == str(expected.dtype).rpartition(".")[2]
        values = kinds.to_numpy(expected)
        tolerance = 1e-5 if expected.dtype == torch.float32 else 0
        np.testing.assert_allclose(kinds.to_numpy(found), values, rtol=0, atol=tolerance * np.abs(values).max())


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_what_torch_refuses_in_half_precision_is_refused_alike(dtype: Any) -> None:
    x, t = noise(dtype, 2, 3000)
    said = []
    for library, given in ((compat.torch, x), (torch, t)):
        with pytest.raises(RuntimeError) as caught:
            library.stft(given, 400, return_complex=True)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_librosa_sees_bfloat16_in_single_precision() -> None:
    librosa = pytest.importorskip("librosa")
    x, t = noise(mx.bfloat16, 2, 3000)
    for name in ("rms", "spectral_centroid"):
        found = getattr(compat.librosa.feature, name)(y=x)
        np.testing.assert_allclose(
            np.array(found), getattr(librosa.feature, name)(y=t.float().numpy()), rtol=1e-4, err_msg=name
        )


def test_a_gradient_in_bfloat16_is_torch_s() -> None:
    x, t = noise(mx.bfloat16, 2, 300)
    to_db = {"stype": "magnitude", "top_db": 80.0}
    found = mx.grad(lambda x: compat.torchaudio.transforms.AmplitudeToDB(**to_db)(mx.abs(x) + 1).sum())(x)
    t.requires_grad_()
    torchaudio.transforms.AmplitudeToDB(**to_db)(t.abs() + 1).sum().backward()
    assert found.dtype == mx.bfloat16
    np.testing.assert_allclose(kinds.to_numpy(found), kinds.to_numpy(t.grad), rtol=2**-6)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3)])
def test_bfloat16_of_any_shape_crosses_unchanged(shape: tuple[int, ...]) -> None:
    x, t = noise(mx.bfloat16, *shape)
    assert kinds.to_torch(x).dtype == torch.bfloat16
    assert torch.equal(kinds.to_torch(x), t)
    assert kinds.to_mlx(t).dtype == mx.bfloat16
    assert mx.array_equal(kinds.to_mlx(t), x)
    assert kinds.to_numpy(x).dtype == kinds.to_numpy(t).dtype == np.float32
