"""hpss of librosa.decompose."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from mlx_spectro.design.operators import Medians
from mlx_spectro.kernels import cpu

from ..contract import tolerances
from ..contract.decline import Decline
from ..contract.function import Work
from ._adapter import adapter
from ._arguments import LARGEST, Array, check_array, check_engine, energy
from ._options import check_exponent, check_flag, check_plain, check_whole


class Separation(NamedTuple):
    """How magnitudes are separated; of pairs, the harmonic part's comes first."""

    kernel_sizes: tuple[int, int]
    power: float
    margins: tuple[float, float]
    mask: bool

    def check(self, shape: tuple[int, ...]) -> None:
        """Decline what is so short that SciPy, which librosa filters with, reads beyond its mirrored values."""
        if any(size // 2 >= 4 * length for size, length in zip(self.kernel_sizes, shape[:-3:-1], strict=True)):
            raise Decline("a kernel is more than eight times as long as the spectrogram")

    def of(self, s: Array) -> tuple[Array, Array]:
        """The parts, or their masks, of a spectrogram whose magnitudes can be squared."""
        magnitudes = np.abs(s) if s.dtype.kind == "c" else s
        along_time, along_frequency = self.kernel_sizes
        harmonic = cpu.run(Medians(along_time, -1), magnitudes)
        percussive = cpu.run(Medians(along_frequency, -2), magnitudes)
        # what both filters find empty is shared, unless a margin leaves a residual
        empty = 0.5 if max(self.margins) == 1 else 0.0
        return cpu.softmasks(harmonic, percussive, self.power, self.margins, None if self.mask else s, empty)


def _pair(name: str, value: Any) -> tuple[Any, Any]:
    if type(value) not in (tuple, list):
        return value, value
    if len(value) < 2:
        raise Decline(f"{name} has fewer than two values")
    return value[0], value[1]


def separation(kernel_size: Any, power: Any, mask: Any, margin: Any) -> Separation:
    """The separation that librosa's options ask for."""
    sizes, margins = _pair("kernel_size", kernel_size), _pair("margin", margin)
    for size in sizes:
        check_whole("kernel_size", size)
    for least in margins:
        check_plain("margin", least, 1)
    check_flag("mask", mask)
    check_exponent(power)
    return Separation((int(sizes[0]), int(sizes[1])), power, margins, bool(mask))


@adapter("librosa.decompose.hpss", tolerances.masked)
def hpss(S: Array, *, kernel_size: Any = 31, power: float = 2.0, mask: bool = False, margin: Any = 1.0) -> Work:
    """librosa.decompose.hpss. Same arguments, same defaults.

    The medians are librosa's to the bit.
    """
    check_engine()
    options = separation(kernel_size, power, mask, margin)
    check_array(S)
    if S.ndim < 2:
        raise Decline("S has fewer than two axes")
    options.check(S.shape)
    if S.dtype.kind == "c":
        if not math.isfinite(energy(S)):
            raise Decline("the spectrum holds values that are not finite, or whose squares overflow")
    elif not (S.min() >= 0 and float(S.max()) * max(options.margins) < LARGEST[S.dtype.char]):
        raise Decline("S holds values that are negative, not finite, or too large for the margin")
    return lambda: options.of(np.asarray(S))
