"""Norms and zero crossings of the frames of NumPy arrays by the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.operators import FrameStatistic
from .frames import PAD_MODES
from .framewise import CROSSINGS, NORM, counted_frames
from .plan import NAMES, setting
from .runtime.layout import aligned_rows
from .runtime.memory import address_of, address_to_write, padded, workspace
from .runtime.threads import share
from .runtime.vector import CHUNK, VECTOR_BYTES

Array = npt.NDArray[Any]
_STATISTICS = {"norm": NORM, "crossings": CROSSINGS}


def frame_statistic(op: FrameStatistic, x: Array, *, out: Array | None, precise: bool) -> Array:
    """A number ``[..., N]`` of each frame of ``x [..., T]``."""
    framing = op.framing
    length, stored, n = x.shape[-1], NAMES[x.dtype], framing.n_fft
    framing.check(length)
    layout = setting(1024, "float64" if precise else stored, stored)  # for its types; nothing is transformed
    assert layout is not None
    frames, lanes, size = framing.frames(length), layout.lanes, x.dtype.itemsize
    rows, statistic = aligned_rows(x), _STATISTICS[op.statistic]
    signal = (address_of(rows), rows.strides[0], rows.strides[1], length, framing.left, PAD_MODES[framing.pad_mode])
    numbers = np.empty((*x.shape[:-1], frames), stored)
    shape, to = (lanes, size, CHUNK // size, VECTOR_BYTES), address_to_write(numbers)
    # a frame shorter than a chunk is read, and not counted, beyond its end
    sizes = (lanes * padded(size * n + CHUNK), (n + CHUNK) * VECTOR_BYTES, VECTOR_BYTES, lanes * padded(CHUNK))

    def work(first: int, last: int) -> None:
        copies, block, number, lines, _memory = workspace.pieces(sizes)
        scratch = (copies, sizes[0] // lanes, block, number, lines, sizes[3] // lanes)
        counted_frames(
            layout.real, layout.stored, statistic, layout.real.dtype.type(op.zero), signal, frames, framing.hop_length,
            n, first, last, scratch, shape, to, frames * size, size,
        )  # fmt: skip

    share(work, rows.shape[0] * frames, lanes, n, (rows, numbers))
    if out is None:
        return numbers
    out[...] = numbers
    return out


RUN = {FrameStatistic: frame_statistic}
