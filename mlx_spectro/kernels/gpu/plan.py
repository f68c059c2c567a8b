"""How the threads of a GPU share the transform of one frame.

A frame of ``n_fft = 2 M`` real samples is a complex transform of ``M`` points, whose spectrum is split at the end (or,
inverse, folded at the start). A *team* of threads holds the points in registers and meets in threadgroup memory between
passes only.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ... import _warn
from ...design.factors import factors
from ...design.framing import Framing
from .codelets import PRIMES

LARGEST_EVEN = 8192
LARGEST_ODD = 4096
SHARED_BYTES = 32768  # threadgroup memory on Apple's chips
SHARED_IN_DOUBLE = 24576  # of CUDA's, for numbers that take twice the bytes that are reckoned with
MOST_THREADS = 1024
SIMD = 32

_RADICES = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 18, 20)
_COMFORTABLE = 16  # complex values a thread can hold without losing occupancy


class Geometry(NamedTuple):
    """How a launch is cut into threadgroups.

    Attributes:
        threads: Threads of a threadgroup, about.
        steps: Frames that a team takes one after another; 0 leaves the choice to the operation.
        at_once: Threadgroups that the GPU is reckoned to hold at once, for an operation that chooses its steps by it;
            0: as many as a large one does.
        double: Numbers are of double precision, on CUDA.
    """

    threads: int = 128
    steps: int = 0
    at_once: int = 0
    double: bool = False

    @property
    def room(self) -> int:
        """Bytes of threadgroup memory for numbers of single precision."""
        return SHARED_IN_DOUBLE if self.double else SHARED_BYTES


class TuningKey(NamedTuple):
    """What the fastest geometry of a launch is known by.

    Attributes:
        kernel: ``"stft"``, ``"istft"`` or ``"filterbank"``.
        n_fft, hop_length: Samples.
        about: There are about ``2^about`` frames, of all rows.
    """

    kernel: str
    n_fft: int
    hop_length: int
    about: int

    @classmethod
    def of(cls, kernel: str, framing: Framing, frames: int) -> TuningKey:
        """The key of a kernel's launch over so many frames."""
        return cls(kernel, framing.n_fft, framing.hop_length, frames.bit_length())


DEFAULT = Geometry()
# a thread holds twice as many registers
IN_DOUBLE = Geometry(64, double=True)
# what SPEC_MLX_TGX can name
_NAMED = ("stft", "istft", "filterbank")


def from_environment(kernel: str) -> Geometry:
    """What ``SPEC_MLX_TGX`` asks for, ``"256"`` or ``"istft:256"``, several apart by commas; else the default.

    Raises:
        ValueError: a value of another form.
    """
    return _parsed(os.environ.get("SPEC_MLX_TGX", "")).get(kernel, DEFAULT)


def is_given(kernel: str) -> bool:
    """Whether ``SPEC_MLX_TGX`` asks for a kernel's geometry."""
    return from_environment(kernel) is not DEFAULT


@functools.cache
def _parsed(value: str) -> dict[str, Geometry]:
    geometries: dict[str, Geometry] = {}
    for part in filter(None, value.split(",")):
        name, _, threads = part.strip().rpartition(":")
        if not threads.isdigit() or not 0 < int(threads) <= MOST_THREADS:
            raise ValueError(f"SPEC_MLX_TGX must be threads or kernel:threads, at most {MOST_THREADS}, got {value!r}")
        if name and name not in _NAMED:
            _warn.at_caller(f"SPEC_MLX_TGX knows {', '.join(_NAMED)}, got {value!r}; {part.strip()!r} is ignored")
        geometries |= dict.fromkeys([name] if name else _NAMED, Geometry(int(threads)))
    return geometries


class Plan(NamedTuple):
    """Passes of one frame's transform and the teams of a threadgroup.

    A transform from samples to bins takes the radices in order, one from bins to samples is the same backwards. The
    last radix is the *paired* one, at the side of the bins: there a thread computes the butterflies ``t`` and ``-t``,
    so that bins ``k`` and ``M - k`` meet in its registers. An odd ``n_fft`` has no pairs: its frame is a complex
    transform of ``n_fft`` points.

    Attributes:
        n_fft: Frame length in samples.
        radices: Radix of each pass, at least two; their product is :attr:`points`.
        teams: Teams of a threadgroup.
    """

    n_fft: int
    radices: tuple[int, ...]
    teams: int = 1

    @property
    def even(self) -> bool:
        """Whether a frame is transformed as half as many complex points."""
        return self.n_fft % 2 == 0

    @property
    def points(self) -> int:
        """Complex points of a frame's transform."""
        return self.n_fft // 2 if self.even else self.n_fft

    @property
    def bins(self) -> int:
        """Bins of a one-sided spectrum."""
        return self.n_fft // 2 + 1

    @property
    def team(self) -> int:
        """Threads a frame: half of the paired butterflies; where they are odd in number, number 0 stays alone."""
        if self.even:
            return (self.points // self.radices[-1] + 1) // 2
        return self.points // max(self.radices)

    def rounds(self, radix: int) -> int:
        """Butterflies of ``radix`` that a thread computes in an ordinary pass."""
        return -(-self.points // (radix * self.team))

    @property
    def registers(self) -> int:
        """Complex values a thread holds."""
        ordinary = self.radices[:-1] if self.even else self.radices
        paired = 2 * self.radices[-1] if self.even else 0
        return max(paired, *(self.rounds(radix) * radix for radix in ordinary))

    @property
    def crowding(self) -> int:
        """Complex values more than a thread holds without losing occupancy."""
        return max(0, self.registers - _COMFORTABLE)

    @property
    def padding(self) -> int:
        """Points after which a slot of threadgroup memory stays unused where it fits: strides then meet other banks."""
        first = self.radices[0]
        if self.points & (self.points - 1) == 0:
            return 16
        return first if first % 2 == 0 and first > 2 else self.points

    @property
    def slots(self) -> int:
        """Slots (float2) of threadgroup memory a team, with padding.

        Teams of a few threads share a row of 16 banks: the next team begins where the threads of this one end.
        """
        needed = self.points + (self.points - 1) // self.padding
        return needed + (self.team - needed) % 16 if self.team % 16 else needed

    @property
    def bytes(self) -> int:
        """Threadgroup memory of all teams with padding."""
        return 8 * self.teams * self.slots

    @property
    def threads(self) -> int:
        """Threads of a threadgroup."""
        return self.team * self.teams

    @property
    def regular(self) -> bool:
        """Whether thread ``t`` holds the points ``t``, ``t + team``, ... of a frame's samples and nothing else."""
        return self.points // self.radices[0] % self.team == 0 and self.points == self.team * self.registers

    def twiddles(self) -> tuple[npt.NDArray[np.complex128], list[int]]:
        """Factors between passes, pass by pass and row by row (``r = 1 .. R - 1``), and where each pass's begin.

        Row ``r`` of a pass of radix ``R`` after ``P`` points holds ``exp(-2 pi i k r / (P R))`` for ``k < P``. A paired
        pass needs ``k < team`` only: ``-k`` has the conjugate. At the end stand ``exp(-pi i k / M)`` for ``k < team``,
        which the split of a spectrum needs.
        """
        rows: list[npt.NDArray[np.complex128]] = []
        starts, size, done = [], 0, 1
        for at, radix in enumerate(self.radices):
            starts.append(size)
            paired = self.even and at == len(self.radices) - 1
            if at:
                k = np.arange(self.team if paired else done)
                rows.append(np.exp(-2j * np.pi * np.outer(np.arange(1, radix), k) / (done * radix)).ravel())
                size += rows[-1].size
            done *= radix
        rows.append(np.exp(-1j * np.pi * np.arange(self.team) / self.points))
        return np.concatenate(rows), [*starts, size]


@functools.cache
def why_not(n_fft: int) -> str | None:
    """Why no plan serves frames of ``n_fft`` samples; None where one does."""
    largest = LARGEST_EVEN if n_fft % 2 == 0 else LARGEST_ODD
    if n_fft > largest:
        return f"n_fft={n_fft} is larger than {largest}"
    points = n_fft // 2 if n_fft % 2 == 0 else n_fft
    if max(factors(points), default=1) > max(PRIMES):
        half = "half of " if n_fft % 2 == 0 else ""
        return f"{half}n_fft={n_fft} has a prime factor above {max(PRIMES)}"
    return None


@functools.lru_cache(maxsize=256)
def plan(n_fft: int, *, inverse: bool = False, threads: int = DEFAULT.threads, room: int = SHARED_BYTES) -> Plan:
    """The plan for frames of ``n_fft`` samples with about ``threads`` threads a threadgroup, in ``room`` bytes."""
    points = n_fft // 2 if n_fft % 2 == 0 else n_fft
    plans = (Plan(n_fft, radices) for radices in _factorizations(points))
    best = min((p for p in plans if p.team <= MOST_THREADS), key=lambda p: _cost(p, inverse))
    most = min(room // (8 * best.points), MOST_THREADS // best.team)
    return best._replace(teams=max(1, min(threads // best.team, most)))


def _factorizations(n: int) -> Iterator[tuple[int, ...]]:
    """Ordered products of radices that make ``n``, two factors at least."""
    if n == 1 or n in _RADICES:
        yield from ((1, n), (n, 1))
    for first in _RADICES:
        if n % first == 0 and n > first:
            rest = n // first
            if rest in _RADICES:
                yield (first, rest)
            if rest > 3:
                yield from ((first, *others) for others in _factorizations(rest) if 1 not in others)


def _cost(plan: Plan, inverse: bool) -> tuple[float, int]:
    """Estimate of a frame's time: traffic between passes, idle threads, registers, barriers of many threads."""
    exchanges = len(plan.radices) - 1.0
    idle = plan.team * plan.registers / plan.points - 1
    crowded = plan.crowding / 8
    barriers = 0.0 if SIMD % plan.team == 0 else 0.2
    overlap = 0.5 if inverse and not plan.regular else 0.0
    return exchanges + idle + crowded + barriers + overlap, -plan.radices[0]
