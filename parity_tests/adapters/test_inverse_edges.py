"""librosa.istft and torch.istft where windows hardly overlap, and of spectra that are not noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlx_spectro import compat
from mlx_spectro.design import envelope
from mlx_spectro.ops import backend

from ..kernels.test_cpu import bound
from ..table.case import pairwise

librosa = pytest.importorskip("librosa")

pytestmark = [
    pytest.mark.usefixtures("ours"),
    pytest.mark.skipif(backend.for_host_arrays() != "host", reason="host kernels need numba"),
]


def spectrum(content: str, dtype: Any, *shape: int) -> np.ndarray:
    """A spectrum of noise, or of what is told apart from it."""
    rng = np.random.default_rng(sum(shape))
    z = np.zeros(shape, dtype)
    if content == "0 Hz":
        z[..., 0, :] = 3
    elif content == "all bins alike":
        z[:] = 1 + 1j
    elif content == "one bin":
        z[..., shape[-2] // 3, shape[-1] // 2] = 1
    else:
        z[:] = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    if content == "a frame that is not finite":
        z[..., shape[-1] // 2] = complex(np.nan, np.inf)
    return z


CASES = list(
    pairwise(
        n_fft=(64, 100, 101, 512),
        hop=(0.125, 0.25, 0.5, 0.75, 1.0, 1.1),
        win=(1.0, 0.6),
        window=("hann", "hamming", "boxcar", "triang"),
        center=(True, False),
        frames=(1, 2, 5, 17, 40),
        length=(None, 0.4, 1.0, 1.2),
        content=("noise", "0 Hz", "all bins alike", "one bin", "a frame that is not finite"),
        dtype=(np.complex64, np.complex128),
        lead=((), (2, 3)),
    )
)


@pytest.mark.parametrize("o", CASES, ids=str)
def test_librosa_s_inverse_is_as_right_as_its_windows_overlap(o: dict[str, Any]) -> None:
    n_fft, frames, dtype = o["n_fft"], o["frames"], o["dtype"]
    hop, win = max(1, int(o["hop"] * n_fft)), int(o["win"] * n_fft)
    z = spectrum(o["content"], dtype, *o["lead"], n_fft // 2 + 1, frames)
    total = n_fft + hop * (frames - 1)
    length = None if o["length"] is None else int(o["length"] * total)
    options = {
        "n_fft": n_fft, "hop_length": hop, "win_length": win, "window": o["window"], "center": o["center"],
        "length": length,
    }  # fmt: skip
    with np.errstate(all="ignore"):
        expected = librosa.istft(z, **options)
        truth = librosa.istft(z.astype(np.complex128), **options)
    found = compat.librosa.istft(z, **options)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    finite = np.isfinite(expected)
    assert np.array_equal(np.isfinite(found), finite)
    if compat.report()[0].reason:
        assert np.array_equal(found, expected, equal_nan=True)
        return
    # each frame is off by its transform's rounding, which the windows over a sample weigh and their squares divide
    window = np.abs(librosa.util.pad_center(librosa.filters.get_window(o["window"], win), size=n_fft))
    quiet = z[..., np.isfinite(z).reshape(-1, *z.shape[-2:]).all(axis=(0, 1))]
    largest = np.sqrt((np.abs(quiet) ** 2).sum(axis=-2) / n_fft).max(initial=0)
    start = n_fft // 2 if o["center"] else 0
    weights, squares = (envelope.envelope(w, hop, frames)[start:] for w in (np.sqrt(window), window))
    count = found.shape[-1]
    weights, squares = (np.pad(w, (0, max(0, count - w.size)))[:count] for w in (weights, squares))
    limit = bound(dtype, n_fft) * (largest * weights / np.where(squares > 0, squares, 1) + np.abs(truth))
    assert (np.abs(found - truth) <= limit)[finite].all()


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("center", [True, False])
def test_what_rounding_makes_of_a_window_s_edge_is_librosa_s(dtype: Any, center: bool) -> None:
    # the first sample of this window is 0, but for rounding
    assert 0 < abs(librosa.filters.get_window("blackman", 256)[0]) < 1e-16
    y = np.ones(4000, np.float32 if dtype == np.complex64 else np.float64)
    z = librosa.stft(y, n_fft=256, hop_length=256, window="blackman")
    assert z.dtype == dtype
    options = {"hop_length": 256, "window": "blackman", "center": center}
    assert np.array_equal(compat.librosa.istft(z, **options), librosa.istft(z, **options))
    assert [record.reason for record in compat.report()] == ["samples where only rounding errors overlap"]
    compat.reset()
    compat.librosa.istft(z, hop_length=64, window="blackman")
    assert [record.reason for record in compat.report()] == [""]


@pytest.mark.parametrize("content", ["0 Hz", "all bins alike", "one bin", "a frame that is not finite"])
@pytest.mark.parametrize("hop", [64, 128, 200])
def test_torch_s_inverses_of_spectra_that_are_not_noise_are_torch_s(content: str, hop: int) -> None:
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("torchaudio").functional.inverse_spectrogram
    for center in (True, False):
        z, window = torch.from_numpy(spectrum(content, np.complex64, 2, 129, 9)), torch.hamming_window(256)
        arguments = (None, 0, window, 256, hop, 256, False, center)
        found = compat.torchaudio.functional.inverse_spectrogram(z, *arguments).numpy()
        assert np.array_equal(np.isfinite(found), torch.isfinite(theirs(z, *arguments)).numpy())
        wide = theirs(z.to(torch.complex128), None, 0, window.double(), *arguments[3:]).numpy()
        finite = np.isfinite(found)
        frame = np.sqrt((np.abs(z.numpy()[..., 0]) ** 2).sum(axis=-1).max() / 256)
        # no window here is below a twelfth
        assert np.abs(found - wide)[finite].max(initial=0) <= 12 * bound(np.float32, 256) * max(
            frame, np.abs(wide[finite]).max(initial=0)
        )
        assert np.array_equal(
            found, compat.torch.istft(z, 256, hop, window=window, center=center).numpy(), equal_nan=True
        )
