"""stft, istft and magphase of librosa."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from mlx_spectro.design.operators import Stft
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_plain
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._analysis import analysis
from .._arguments import LARGEST, Array, check_array, check_engine, check_result, check_size_beside_vectors, energy
from .._layout import lying, memory
from .._synthesis import synthesis


@adapter("librosa.stft", tolerances.spectrum, also="librosa.core")
def stft(
    y: Array,
    *,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    dtype: Any = None,
    pad_mode: Any = "constant",
    out: Array | None = None,
) -> Work:
    """librosa.stft. Same arguments, same defaults.

    In double precision inside, as librosa's; ``out`` is written where it lies.
    """
    audio = analysis(y, n_fft, hop_length, win_length, window, center, pad_mode)
    natural = np.result_type(y, np.complex64)
    shape = (*y.shape[:-1], n_fft // 2 + 1, audio.frames)
    check_result(shape, natural, dtype, out, y, window)

    def work() -> Array:
        z = np.empty(shape, natural, order="F") if out is None else out
        audio.run(Stft(audio.framing), out=z.swapaxes(-1, -2))
        return z

    return work


@adapter("librosa.istft", tolerances.spectrum, also="librosa.core")
def istft(
    stft_matrix: Array,
    *,
    hop_length: int | None = None,
    win_length: int | None = None,
    n_fft: int | None = None,
    window: Any = "hann",
    center: bool = True,
    dtype: Any = None,
    length: int | None = None,
    out: Array | None = None,
) -> Work:
    """librosa.istft. Same arguments, same defaults.

    In double precision inside. Where only rounding errors of windows overlap, librosa divides by them.
    """
    z = stft_matrix
    check_engine()
    check_array(z)
    if z.dtype.kind != "c" or z.ndim < 2:
        raise Decline("the spectrum is not complex, or has fewer than two axes")
    inverse = synthesis(z.shape[-2:], z.dtype, n_fft, hop_length, win_length, window, center, length)
    if not math.isfinite(energy(z)):
        raise Decline("the spectrum holds values that are not finite, or whose squares overflow")
    natural = np.dtype(z.real.dtype)
    shape = (*z.shape[:-2], inverse.op.length)
    check_result(shape, natural, dtype, out, z, window)

    def work() -> Array:
        y = np.empty(shape, natural) if out is None else out
        cpu.run(inverse.op, z[..., : inverse.frames].swapaxes(-1, -2), inverse.window, out=y)
        return y

    return work


def _in_order_of(values: Array, result_of: Callable[[Array], Array], like: Array) -> Array:
    """``values`` in the memory order of ``result_of(like)``."""
    out = memory(result_of, lying(like), like.dtype, values.shape, values.dtype)
    out[...] = values
    return out


@adapter("librosa.magphase", tolerances.energy, also="librosa.core")
def magphase(D: Array, *, power: float = 1) -> Work:
    """librosa.magphase. Same arguments, same defaults.

    Ours for complex64, and under ``route("auto")`` where values are many.
    """
    check_engine()
    check_array(D)
    check_size_beside_vectors(D.size, 9000)
    if D.dtype != np.complex64:
        raise Decline(f"D is {D.dtype}: complex64 is served")
    check_plain("power", power, 1e-3, 4)
    if not energy(D) < LARGEST["f"] ** min(1.0, 2.0 / power):
        raise Decline("the spectrum holds values that are not finite, or whose squares or powers overflow")

    def work() -> tuple[Array, Array]:
        magnitude, phase = cpu.magphase(D)
        if not (D.flags.c_contiguous or D.flags.f_contiguous):
            magnitude, phase = _in_order_of(magnitude, np.abs, D), _in_order_of(phase, np.empty_like, D)
        if type(D) is np.memmap:  # as librosa's
            phase = phase.view(np.memmap)
        return magnitude if power == 1 else magnitude**power, phase

    return work
