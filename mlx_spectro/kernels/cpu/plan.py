"""What the compiled kernels have to know of a transform: its plan, its types and the sizes of its scratch memory."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from .fft import plan
from .runtime.memory import address_of, padded
from .runtime.vector import CHUNK, VECTOR_BYTES

NAMES = {np.dtype(np.float32): "float32", np.dtype(np.float64): "float64"}
NAMES |= {np.dtype(np.complex64): "float32", np.dtype(np.complex128): "float64"}
# smaller transforms are NumPy's to do
_SMALLEST = 32


class Setting(NamedTuple):
    """What the kernels need to know of a transform length, an arithmetic type and a memory type."""

    real: Any
    """1 in the arithmetic type, whose type tells compiled code what to compute in."""
    stored: Any
    """1 in the memory type."""
    lanes: int
    bins: int
    packed: bool
    layout: tuple[int, ...]
    forward: tuple[int, ...]
    backward: tuple[int, ...]
    forward_scratch: tuple[int, ...]
    backward_scratch: tuple[int, ...]
    frame_bytes: int
    """Bytes from one copied or windowed frame to the next."""
    complex_size: int
    """Bytes of a complex number in memory."""
    row_bytes: int
    """Bytes from one frame's complex bins to the next one's in scratch memory."""
    keep: Any
    """What the addresses above point into."""


@functools.lru_cache(maxsize=128)
def setting(n_fft: int, real: str, stored: str) -> Setting | None:
    """The setting, None where NumPy has to do the transform."""
    transform = plan(n_fft, real) if n_fft >= _SMALLEST else None
    if transform is None:
        return None
    size, real_size, bins = np.dtype(stored).itemsize, np.dtype(real).itemsize, n_fft // 2 + 1
    lanes = VECTOR_BYTES // real_size
    frame_bytes, row_bytes = padded(n_fft * size), padded(2 * size * bins)
    temporary = 8 * CHUNK * VECTOR_BYTES
    common = (address_of(transform.passes), len(transform.passes), address_of(transform.places))
    return Setting(
        np.dtype(real).type(1),
        np.dtype(stored).type(1),
        lanes,
        bins,
        transform.packed,
        (n_fft, transform.points, int(transform.packed), size, real_size, CHUNK // size, VECTOR_BYTES),
        (*common, address_of(transform.forward), address_of(transform.split_forward)),
        (*common, address_of(transform.backward), address_of(transform.split_backward)),
        (lanes * frame_bytes, transform.scratch, temporary, lanes * row_bytes),
        (lanes * row_bytes, transform.scratch, lanes * frame_bytes),
        frame_bytes,
        2 * size,
        row_bytes,
        transform,
    )


def compiled(n_fft: int) -> bool:
    """Whether compiled kernels transform frames of ``n_fft`` samples; NumPy transforms the others."""
    return setting(n_fft, "float32", "float32") is not None
