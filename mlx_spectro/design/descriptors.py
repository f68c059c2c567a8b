"""Which descriptors of a spectrum are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

# of more extremes than these, keeping them in order costs more than sorting
_MOST_EXTREMES = 64


@dataclass(frozen=True)
class DescriptorSpec:
    """Which descriptors of a frame's magnitudes, and their parameters.

    Attributes:
        names: Among ``"centroid"``, ``"bandwidth"``, ``"rolloff"``, ``"flatness"`` and ``"contrast"``.
        order: Of the bandwidth.
        share: Of the rolloff.
        power: Of the magnitudes whose flatness is meant.
        amin: Smallest value that the flatness counts.
        bands: Of the contrast: first bin, end, and extremes.
    """

    names: tuple[str, ...]
    order: float = 2
    share: float = 0.85
    power: float = 2
    amin: float = 1e-10
    bands: tuple[tuple[int, int, int], ...] = ()

    @property
    def rows(self) -> int:
        """Numbers a frame: one a descriptor, and of the contrast each band's valley, then each band's peak."""
        return sum(2 * len(self.bands) if name == "contrast" else 1 for name in self.names)

    @property
    def in_kernels(self) -> bool:
        """Whether kernels have all of it."""
        most = max((extremes for _, _, extremes in self.bands), default=0)
        return self.order in (1, 2) and self.power in (1, 2) and most <= _MOST_EXTREMES


class Wanted(NamedTuple):
    """Which descriptors, and their parameters."""

    names: Sequence[str]
    """Among ``"centroid"``, ``"bandwidth"``, ``"rolloff"``, ``"flatness"`` and ``"contrast"``."""
    hz: npt.NDArray[Any] = np.zeros(0)
    """Frequencies of the bins."""
    order: float = 2
    """Of the bandwidth."""
    share: float = 0.85
    """Of the rolloff."""
    power: float = 2
    """Of the magnitudes whose flatness is wanted."""
    amin: float = 1e-10
    """Smallest value that the flatness counts."""
    bands: Sequence[tuple[int, int, int]] = ()
    """Of the contrast: first bin, end, and extremes."""

    @property
    def numbers(self) -> int:
        """Numbers a frame."""
        return sum({"flatness": 2, "contrast": 2 * len(self.bands)}.get(name, 1) for name in self.names)

    @property
    def in_kernels(self) -> bool:
        """Whether kernels have all of it."""
        most = max((extremes for _, _, extremes in self.bands), default=0)
        return self.order in (1, 2) and self.power in (1, 2) and most <= _MOST_EXTREMES

    @property
    def spec(self) -> DescriptorSpec:
        """It without the frequencies."""
        bands = tuple((int(first), int(end), int(extremes)) for first, end, extremes in self.bands)
        return DescriptorSpec(tuple(self.names), self.order, self.share, self.power, self.amin, bands)
