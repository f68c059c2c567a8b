"""Filters of constant-Q and variable-Q transforms, designed in float64 by NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _check
from .banks import normalized
from .windows import window_samples

# samples of a filter: a minute at 17 kHz
_LONGEST = 1 << 20


class Octave(NamedTuple):
    """Filters that one transform is long enough for."""

    n_fft: int
    first: int
    """The first bin of a transform that any of them takes; the bins from there on are all that they take."""
    filters: npt.NDArray[np.complex128]
    """``[bins, filters]``, from the lowest filter on."""


class Scale(NamedTuple):
    """Filters by their frequencies and how long they are."""

    sample_rate: float
    f_min: float
    n_bins: int
    bins_per_octave: int
    gamma: float | None
    """Hz that each bandwidth has beside its share of the frequency; None for those of the ear's critical bands."""
    filter_scale: float = 1.0
    window_fn: str = "hann"

    @property
    def frequencies(self) -> npt.NDArray[np.float64]:
        """Centre frequencies ``[n_bins]`` in Hz."""
        frequencies: npt.NDArray[np.float64] = self.f_min * 2.0 ** (np.arange(self.n_bins) / self.bins_per_octave)
        return frequencies

    @property
    def _share(self) -> float:
        """Of a frequency, what its bandwidth is: half of what lies between its neighbours, over their mean."""
        step = float(4.0 ** (1 / self.bins_per_octave))
        return (step - 1) / (step + 1)

    @property
    def _gamma(self) -> float:
        # B. R. Glasberg and B. C. J. Moore, "Derivation of auditory filter shapes from notched-noise data" (1990)
        return self._share * 24.7 / 0.108 if self.gamma is None else self.gamma

    @property
    def lengths(self) -> npt.NDArray[np.float64]:
        """Lengths ``[n_bins]`` in samples, no whole numbers."""
        widths = self._share * self.frequencies + self._gamma
        lengths: npt.NDArray[np.float64] = self.filter_scale * self.sample_rate / widths
        return lengths

    @property
    def highest(self) -> float:
        """Hz that the highest filter reaches."""
        window = window_samples(self.window_fn, 1024)
        noise_bandwidth = window.size * np.sum(window**2) / np.sum(window) ** 2
        width = noise_bandwidth * self._share / self.filter_scale * self.frequencies[-1] + self._gamma
        return float(self.frequencies[-1] + 0.5 * width)

    def check(self) -> None:
        """Raise ValueError where filters reach beyond half the sample rate, or are too long."""
        if self.highest > self.sample_rate / 2:
            raise ValueError(f"filters must end below half of sample_rate, got {self.highest:.1f} Hz of {self}")
        if self.lengths.max() > _LONGEST:
            raise ValueError(f"filters must be shorter than {_LONGEST} samples, got {self.lengths.max():.0f} of {self}")


@_check.remembered(16)
def octaves(scale: Scale, norm: float | None, sparsity: float, balanced: bool) -> tuple[Octave, ...]:
    """Filters by octaves, counted from the highest, of which the lowest comes first.

    Schörkhuber and Klapuri, "Constant-Q transform toolbox for music processing", SMC 2010, with librosa's norms.

    Args:
        norm: Norm to which windowed oscillations are scaled before their lengths; None for none.
        sparsity: Share of the sum of a filter's magnitudes, its smallest, that is left out.
        balanced: Divide by the roots of lengths, so that white noise is as loud in all bins.
    """
    scale.check()
    starts = range(scale.n_bins, 0, -scale.bins_per_octave)
    parts = [slice(max(0, end - scale.bins_per_octave), end) for end in starts]
    return tuple(_octave(scale, part, norm, sparsity, balanced) for part in reversed(parts))


def _octave(scale: Scale, part: slice, norm: float | None, sparsity: float, balanced: bool) -> Octave:
    frequencies, lengths = scale.frequencies[part], scale.lengths[part]
    n_fft = max(2, 2 ** int(np.ceil(np.log2(lengths.max()))))
    filters = []
    for frequency, length in zip(frequencies, lengths, strict=True):
        places = np.arange(-length // 2, length // 2)
        turns = np.exp(2j * np.pi * frequency / scale.sample_rate * places)
        wave = turns * window_samples(scale.window_fn, places.size)
        if norm is not None:
            wave = normalized(wave, norm, 0)
        left = (n_fft - places.size) // 2
        spectrum = np.fft.fft(np.pad(wave, (left, n_fft - places.size - left)))[: n_fft // 2 + 1]
        share = length / n_fft / (np.sqrt(length) if balanced else 1.0)
        filters.append(_sparse(spectrum, sparsity) * share)
    bank = np.stack(filters, axis=1)
    taken = np.flatnonzero(bank.any(axis=1))
    first, end = (int(taken[0]), int(taken[-1]) + 1) if taken.size else (0, 1)
    return Octave(n_fft, first, bank[first:end])


def _sparse(spectrum: npt.NDArray[np.complex128], sparsity: float) -> npt.NDArray[np.complex128]:
    """``spectrum`` without its smallest values, whose magnitudes are less than a share of the sum of all."""
    sizes = np.abs(spectrum)
    ascending = np.sort(sizes)
    least = ascending[np.argmin(np.cumsum(ascending / sizes.sum()) < sparsity)]
    return np.where(sizes >= least, spectrum, 0)
