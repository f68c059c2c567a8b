"""What MLX's own transforms do otherwise, as the rows of the parity table beside them say."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlx_spectro import SpectralTransform

from .test_transform import close, noise

HANN = SpectralTransform(64, 16).window


def test_mlx_takes_a_rectangular_window_where_none_is_given() -> None:
    x = noise(2, 300)
    close(mx.fft.stft(x, 64, 16), SpectralTransform(64, 16, window_fn="rect").stft(x))
    close(mx.fft.stft(x, 64, 16, window=HANN), SpectralTransform(64, 16).stft(x))


def test_mlx_gives_a_single_signal_no_batch_axis() -> None:
    x = noise(300)
    found, ours = mx.fft.stft(x, 64, 16, window=HANN), SpectralTransform(64, 16).stft(x)
    assert (1, *found.shape) == ours.shape
    close(found[None], ours)


def test_mlx_names_paddings_and_norms_otherwise() -> None:
    x = noise(2, 300)
    edge = mx.fft.stft(x, 64, 16, window=HANN, pad_mode="edge", norm="ortho")
    close(edge, SpectralTransform(64, 16, center_pad_mode="replicate", normalized=True).stft(x))
    with pytest.raises(ValueError, match="circular"):
        mx.fft.stft(x, 64, 16, window=HANN, pad_mode="circular")


def test_mlx_mirrors_a_short_signal_more_than_once_and_refuses_one_that_is_not_padded() -> None:
    x = noise(1, 20)
    twice = mx.array(np.pad(np.array(x), ((0, 0), (32, 32)), mode="reflect"))
    close(mx.fft.stft(x, 64, 16, window=HANN), SpectralTransform(64, 16, center=False).stft(twice))
    with pytest.raises(ValueError, match="reflect padding of 32 samples"):
        SpectralTransform(64, 16).stft(x)
    with pytest.raises(ValueError, match="too short"):
        mx.fft.stft(x, 64, 16, window=HANN, center=False)
    assert SpectralTransform(64, 16, center=False).stft(x).shape == (1, 33, 1)


def test_mlx_takes_all_bins_of_a_two_sided_spectrum() -> None:
    transform = SpectralTransform(64, 16, onesided=False)
    x = noise(1, 320)
    z = transform.stft(x)
    # of a real signal all agree
    close(mx.fft.istft(z, 64, 16, window=HANN, onesided=False, length=320), transform.istft(z, 320))
    below = mx.concatenate([z[:, :33], mx.zeros((1, 31, z.shape[-1]), mx.complex64)], axis=1)
    close(transform.istft(below, 320), x)
    assert not mx.allclose(mx.fft.istft(below, 64, 16, window=HANN, onesided=False, length=320), x, atol=0.1)
