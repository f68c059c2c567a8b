"""The inverse STFT by torch on the CPU, for calls that ask for it."""

from __future__ import annotations

import importlib.util
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .. import distribution


def istft(
    z: mx.array,
    window: npt.NDArray[Any],
    hop_length: int,
    length: int,
    *,
    center: bool,
    normalized: bool,
    onesided: bool,
) -> mx.array:
    """:func:`torch.istft` of a spectrum ``[..., N, F]`` with a window of ``n_fft`` samples.

    Returns:
        float32 ``[..., length]``.

    Raises:
        ImportError: torch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise ImportError(f"the torch fallback needs torch: {distribution.install('torch')}")
    import torch

    spectrum = np.array(mx.swapaxes(z, -1, -2))
    y = torch.istft(
        torch.from_numpy(spectrum.reshape(-1, *spectrum.shape[-2:])),
        window.size,
        hop_length,
        window.size,
        torch.from_numpy(window),
        center=center,
        normalized=normalized,
        onesided=onesided,
        length=length,
    )
    return mx.array(y.reshape(*spectrum.shape[:-2], length).numpy())
