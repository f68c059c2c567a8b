"""Which descriptors of a spectrum are asked for."""

from __future__ import annotations

from dataclasses import dataclass

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
