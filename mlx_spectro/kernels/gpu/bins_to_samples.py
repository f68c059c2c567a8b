"""Bins to samples, in one launch: what an inverse STFT and the adjoint of an STFT take."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...design.framing import Framing
from .dialect import Launch, over_rows
from .istft_text import kernel
from .plan import IN_DOUBLE, Geometry, from_environment
from .samples_to_bins import PAD_MODES


class Range(NamedTuple):
    """``length`` samples from sample ``first`` of the overlapped frames."""

    first: int
    length: int

    def hops(self, hop_length: int) -> int:
        """Hops that it touches."""
        return (self.first + self.length - 1) // hop_length - self.first // hop_length + 1 if self.length else 0


_NOTHING = Range(0, 0)


def launch(
    rows: int,
    frames: int,
    framing: Framing,
    samples: Range,
    also: Range = _NOTHING,
    *,
    scale: float = 1.0,
    edge: float = 1.0,
    divided: bool = True,
    gained: bool = False,
    folded: bool = False,
    geometry: Geometry | None = None,
) -> Launch:
    """Overlap the inverse transforms of ``frames`` spectra a row into ``[rows, samples.length + also.length]``.

    Args:
        edge: Factor of the bins 0 and ``n_fft / 2`` besides ``scale``.
        divided: Divide by the windows' envelope.
        gained: Multiply the spectra by an input, ``gain``.
        folded: Add sums over the padding to the samples that it was copied from.
        geometry: Threads and steps to take instead of the default ones.
    """
    n_fft, hop_length, _, right, pad_mode = framing
    threads, steps, at_once, double = geometry or from_environment("istft")
    fft, code = kernel(n_fft, divided, gained, threads, double)
    cover = -(-n_fft // hop_length)
    if not steps:
        steps = _steps(rows, samples.hops(hop_length), cover, fft.teams, at_once or _PROCESSORS * code.resident)
    steps = max(steps, cover - 1, -(-cover // fft.teams))
    each = fft.teams * steps - cover + 1
    groups, others = (-(-part.hops(hop_length) // each) for part in (samples, also))
    grid, scalars = over_rows(groups + others, rows)
    return Launch(
        code,
        {
            **scalars,
            "frames": frames,
            "hop": hop_length,
            "steps": steps,
            "groups": groups,
            "first": samples.first,
            "count": samples.length,
            "first2": also.first,
            "count2": also.length,
            "mode": PAD_MODES[pad_mode] if folded else 0,
            "right": right if folded else 0,
            "scale": scale / n_fft,
            "edge": edge,
        },
        grid,
        ((rows, samples.length + also.length),),
    )


def transpose_launches(
    rows: int,
    frames: int,
    framing: Framing,
    length: int,
    *,
    scale: float = 1.0,
    gained: bool = False,
    geometry: Geometry | None = None,
) -> list[Launch]:
    """The adjoint of an STFT of signals ``[rows, length]``: each takes as ``edges`` the output of the one before.

    Where the padding copies samples, a small launch sums what lies over it first.
    """
    n_fft, _, left, right, pad_mode = framing
    signal, before, behind = Range(left, length), Range(0, left), Range(left + length, right)
    options: dict[str, Any] = {"scale": scale * n_fft / 2, "edge": 2.0, "divided": False, "gained": gained}
    if pad_mode == "constant" or not (left or right):
        return [launch(rows, frames, framing, signal, **options, geometry=geometry)]
    of_edges = IN_DOUBLE if geometry and geometry.double else None
    return [
        launch(rows, frames, framing, before, behind, **options, geometry=of_edges),
        launch(rows, frames, framing, signal, **options, folded=True, geometry=geometry),
    ]


# of a large GPU, and the longest walk worth trying
_PROCESSORS = 132
_LONGEST = 64
# what a threadgroup does besides walking, in steps
_ASIDE = 2


def _steps(rows: int, hops: int, cover: int, teams: int, at_once: int) -> int:
    """Steps after which all threadgroups are soonest done, so many of them at a time.

    Long walks repeat few frames, short ones keep a GPU busy, and a threadgroup more than fits at once takes as long as
    all before it. On an H200, whole waves take 15 to 20 percent less time than walks of a fixed length.
    """

    def time(steps: int) -> int:
        groups = rows * -(-hops // (teams * steps - cover + 1))
        return -(-groups // at_once) * (steps + _ASIDE)

    return min(range(max(1, cover - 1, -(-cover // teams)), max(_LONGEST, cover) + 1), key=time)
