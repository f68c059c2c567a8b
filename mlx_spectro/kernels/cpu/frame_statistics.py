"""Norms and zero crossings of the frames of NumPy arrays by the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mlx_spectro.design.framing import Framing

from .frames import PAD_MODES
from .framewise import CROSSINGS, NORM, counted_frames
from .plan import NAMES, setting
from .runtime.layout import aligned_rows
from .runtime.memory import address_of, address_to_write, padded, workspace
from .runtime.threads import share
from .runtime.vector import CHUNK, VECTOR_BYTES

Array = npt.NDArray[Any]


def _count(x: Array, framing: Framing, wanted: int, zero: float, precise: bool) -> Array:
    """A number ``[..., N]`` of each frame of ``x [..., T]``."""
    length, stored, n = x.shape[-1], NAMES[x.dtype], framing.n_fft
    framing.check(length)
    found = setting(1024, "float64" if precise else stored, stored)  # for its types; nothing is transformed
    assert found is not None
    frames, lanes, size = framing.frames(length), found.lanes, x.dtype.itemsize
    rows = aligned_rows(x)
    signal = (address_of(rows), rows.strides[0], rows.strides[1], length, framing.left, PAD_MODES[framing.pad_mode])
    out = np.empty((*x.shape[:-1], frames), stored)
    shape, to = (lanes, size, CHUNK // size, VECTOR_BYTES), address_to_write(out)
    # a frame shorter than a chunk is read, and not counted, beyond its end
    sizes = (lanes * padded(size * n + CHUNK), (n + CHUNK) * VECTOR_BYTES, VECTOR_BYTES, lanes * padded(CHUNK))

    def work(first: int, last: int) -> None:
        copies, block, number, lines, _memory = workspace.pieces(sizes)
        scratch = (copies, sizes[0] // lanes, block, number, lines, sizes[3] // lanes)
        counted_frames(
            found.real, found.stored, wanted, found.real.dtype.type(zero), signal, frames, framing.hop_length, n, first,
            last, scratch, shape, to, frames * size, size,
        )  # fmt: skip

    share(work, rows.shape[0] * frames, lanes, n, (rows, out))
    return out


def frame_norm(
    x: Array,
    *,
    frame_length: int,
    hop_length: int,
    left: int = 0,
    right: int = 0,
    pad_mode: str = "constant",
    precise: bool = False,
) -> Array:
    """Root of the sum of squares ``[..., N]`` of each frame of audio ``[..., T]``."""
    return _count(x, Framing(frame_length, hop_length, left, right, pad_mode), NORM, 0.0, precise)


def frame_crossings(
    x: Array,
    *,
    frame_length: int,
    hop_length: int,
    left: int = 0,
    right: int = 0,
    pad_mode: str = "constant",
    zero: float = 1e-10,
) -> Array:
    """How many samples ``[..., N]`` of each frame differ in sign from the one before them in the frame.

    What lies above ``-zero`` counts as positive.
    """
    return _count(x, Framing(frame_length, hop_length, left, right, pad_mode), CROSSINGS, zero, False)
