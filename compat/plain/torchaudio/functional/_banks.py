"""Filters over frequencies, and the basis of cepstra."""

import math
import warnings

import torch
from torch import Tensor


def _hz_to_mel(freq: float, mel_scale: str = "htk") -> float:
    """Mels of a frequency in Hz: by O'Shaughnessy's formula, as in HTK, or by Slaney's Auditory Toolbox (1998)."""
    if mel_scale == "htk":
        return 2595.0 * math.log10(1.0 + freq / 700.0)
    if mel_scale != "slaney":
        raise ValueError(f"mel_scale must be 'htk' or 'slaney', got '{mel_scale}'")
    if freq < 1000.0:
        return freq * 3.0 / 200.0
    return 15.0 + math.log(freq / 1000.0) / (math.log(6.4) / 27.0)


def _mel_to_hz(mels: Tensor, mel_scale: str = "htk") -> Tensor:
    """What :func:`_hz_to_mel` takes to ``mels``."""
    if mel_scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    if mel_scale != "slaney":
        raise ValueError(f"mel_scale must be 'htk' or 'slaney', got '{mel_scale}'")
    above = 1000.0 * torch.exp((math.log(6.4) / 27.0) * (mels - 15.0))
    return torch.where(mels >= 15.0, above, (200.0 / 3) * mels)


def _triangles(freqs: Tensor, corners: Tensor) -> Tensor:
    """Filters ``[freqs, corners - 2]`` that rise from one corner to the next, and fall to the one after that."""
    width = corners.diff()
    rising = (freqs[:, None] - corners[:-2]) / width[:-1]
    falling = (corners[2:] - freqs[:, None]) / width[1:]
    return torch.minimum(rising, falling).clamp(min=0.0)


def melscale_fbanks(
    n_freqs: int,
    f_min: float,
    f_max: float,
    n_mels: int,
    sample_rate: int,
    norm: str | None = None,
    mel_scale: str = "htk",
) -> Tensor:
    """Triangular filters ``[n_freqs, n_mels]``, evenly spaced in mels from ``f_min`` to ``f_max`` Hz.

    Args:
        norm: ``"slaney"`` gives all filters the same area.
        mel_scale: ``"htk"`` or ``"slaney"``.

    Raises:
        ValueError: an unknown ``norm`` or ``mel_scale``.
    """
    if norm is not None and norm != "slaney":
        raise ValueError(f"norm must be None or 'slaney', got '{norm}'")
    low, high = _hz_to_mel(f_min, mel_scale), _hz_to_mel(f_max, mel_scale)
    corners = _mel_to_hz(torch.linspace(low, high, n_mels + 2), mel_scale)
    bank = _triangles(torch.linspace(0, sample_rate // 2, n_freqs), corners)
    if norm is not None:
        bank = bank * (2.0 / (corners[2:] - corners[:n_mels]))
    if bool((bank.amax(0) == 0.0).any()):
        warnings.warn(
            "a mel filter is zero at every frequency: "
            f"there may be too many filters (n_mels={n_mels}), or too few frequencies (n_freqs={n_freqs})",
            stacklevel=2,
        )
    return bank


def linear_fbanks(n_freqs: int, f_min: float, f_max: float, n_filter: int, sample_rate: int) -> Tensor:
    """Triangular filters ``[n_freqs, n_filter]``, evenly spaced from ``f_min`` to ``f_max`` Hz."""
    return _triangles(torch.linspace(0, sample_rate // 2, n_freqs), torch.linspace(f_min, f_max, n_filter + 2))


def create_dct(n_mfcc: int, n_mels: int, norm: str | None) -> Tensor:
    """Basis ``[n_mels, n_mfcc]`` of the discrete cosine transform of type 2.

    Args:
        norm: ``"ortho"`` makes it orthonormal; otherwise cosines are doubled, as in SciPy.

    Raises:
        ValueError: an unknown ``norm``.
    """
    if norm is not None and norm != "ortho":
        raise ValueError(f"norm must be None or 'ortho', got '{norm}'")
    orders, places = torch.arange(float(n_mfcc)), torch.arange(float(n_mels)) + 0.5
    basis = torch.cos(math.pi / float(n_mels) * places * orders[:, None])
    if norm is None:
        return (basis * 2.0).t()
    basis[0] *= math.sqrt(0.5)
    return (basis * math.sqrt(2.0 / float(n_mels))).t()
