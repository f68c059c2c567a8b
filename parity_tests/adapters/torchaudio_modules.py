"""torchaudio's transforms in small, for the tests of their adapters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as shim

KINDS: dict[str, dict[str, Any]] = {
    "Spectrogram": {"n_fft": 64, "power": 1.0},
    "InverseSpectrogram": {"n_fft": 64},
    "MelScale": {"n_mels": 8, "n_stft": 33},
    "MelSpectrogram": {"n_fft": 64, "n_mels": 8},
    "MFCC": {"n_mfcc": 5, "melkwargs": {"n_fft": 64, "n_mels": 8}},
    "LFCC": {"n_lfcc": 5, "n_filter": 8, "speckwargs": {"n_fft": 64}},
    "AmplitudeToDB": {"top_db": 60.0},
    "ComputeDeltas": {"win_length": 7},
    "TimeStretch": {"n_freq": 33, "hop_length": 4, "fixed_rate": 1.25},
    "GriffinLim": {"n_fft": 64, "n_iter": 2, "rand_init": False},
    "SpectralCentroid": {"sample_rate": 16000, "n_fft": 64},
    "Resample": {"orig_freq": 11, "new_freq": 7},
    "Deemphasis": {"coeff": 0.9},
}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_implementation = pytest.mark.usefixtures("implementation")


def make(kind: str, module: Any = shim, **options: Any) -> Any:
    return getattr(module.transforms, kind)(**{**KINDS[kind], **options})


def noise(*shape: int, seed: int = 0) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def given(kind: str) -> Any:
    """What an instance of ``kind`` is called with."""
    if kind in ("InverseSpectrogram", "TimeStretch"):
        return torch.stft(noise(2, 900), 64, 32, window=torch.hann_window(64), return_complex=True)
    return noise(2, 33, 20).square() if kind in ("MelScale", "AmplitudeToDB", "GriffinLim") else noise(2, 900)


def reasons() -> set[str]:
    return {record.reason for record in compat.report()}


def close(mine: Any, theirs: Any, tolerance: float = 1e-4) -> bool:
    return bool((mine - theirs).abs().max() <= tolerance * theirs.abs().max())
