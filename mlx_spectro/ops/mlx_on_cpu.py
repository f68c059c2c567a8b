"""The operators by host kernels, in MLX's own memory. Inside ``mx.compile`` and ``mx.vmap`` plain ops stand in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .. import diagnostics
from ..design.framing import Framing
from ..kernels import cpu
from . import stft as plain


def serves(n_fft: int) -> bool:
    """Host kernels transform frames of any length."""
    return True


def has_no_value(x: mx.array) -> bool:
    """Whether ``x`` stands for a value inside ``mx.compile`` or ``mx.vmap``; inside a gradient it has one."""
    try:
        mx.eval(x)
    except ValueError:
        return True
    return False


def _seen(x: mx.array) -> npt.NDArray[Any]:
    """``x``'s own memory."""
    return np.array(x, copy=False)


def _left_alone(x: mx.array) -> bool:
    """Whether plain ops have to serve: ``x`` has no value, or this call interrupts its thread in compiling kernels."""
    return has_no_value(x) or cpu.busy()


# below this many values, copying a result costs less than having MLX make room for it
_FEW = 1 << 20
_KINDS: dict[mx.Dtype, Any] = {mx.float32: np.float32, mx.complex64: np.complex64}


def _filled(kernel: str, shape: tuple[int, ...], dtype: mx.Dtype, fill: Any) -> mx.array:
    """An array whose memory ``fill`` writes, by the kernel of that name."""
    diagnostics.used(f"host {kernel}")
    if math.prod(shape) < _FEW:
        values: npt.NDArray[Any] = np.empty(shape, _KINDS[dtype])
        fill(out=values)
        return mx.array(values)
    y = mx.zeros(shape, dtype)
    mx.eval(y)
    fill(out=_seen(y))
    return y


def stft(x: mx.array, window: mx.array, framing: Framing, scale: float) -> mx.array:
    """One-sided spectrum ``[..., N, F]`` of audio ``[..., T]``."""
    if _left_alone(x):
        return plain.stft(x, window, framing, scale=scale)
    shape = (*x.shape[:-1], framing.frames(x.shape[-1]), framing.n_fft // 2 + 1)
    options = {**framing.padding, "scale": scale}
    return _filled("stft", shape, mx.complex64, lambda out: cpu.stft(_seen(x), _seen(window), out=out, **options))


def stft_adjoint(g: mx.array, window: mx.array, framing: Framing, scale: float, length: int) -> mx.array:
    """Transpose of :func:`stft`."""
    if _left_alone(g):
        silence = mx.zeros((*g.shape[:-2], length))
        return mx.vjp(lambda x: plain.stft(x, window, framing, scale=scale), [silence], [g])[1][0]
    options = {**framing.padding, "scale": scale, "length": length}
    shape = (*g.shape[:-2], length)
    return _filled(
        "stft_adjoint", shape, mx.float32, lambda out: cpu.stft_adjoint(_seen(g), _seen(window), out=out, **options)
    )


def istft(z: mx.array, window: mx.array, framing: Framing, scale: float, length: int) -> mx.array:
    """Audio ``[..., length]`` of a one-sided spectrum ``[..., N, F]``."""
    if _left_alone(z):
        return plain.istft(z, window, framing, length, scale=scale)
    options = {**framing.cut, "scale": scale, "length": length}
    shape = (*z.shape[:-2], length)
    return _filled("istft", shape, mx.float32, lambda out: cpu.istft(_seen(z), _seen(window), out=out, **options))


def istft_adjoint(g: mx.array, window: mx.array, framing: Framing, scale: float, frames: int) -> mx.array:
    """Transpose of :func:`istft`."""
    shape = (*g.shape[:-1], frames, framing.n_fft // 2 + 1)
    if _left_alone(g):
        nothing = mx.zeros(shape, mx.complex64)
        return mx.vjp(lambda z: plain.istft(z, window, framing, g.shape[-1], scale=scale), [nothing], [g])[1][0]
    options = {**framing.cut, "scale": scale, "frames": frames}
    return _filled(
        "istft_adjoint", shape, mx.complex64, lambda out: cpu.istft_adjoint(_seen(g), _seen(window), out=out, **options)
    )


def spectrogram(x: mx.array, window: mx.array, framing: Framing, scale: float, power: float) -> mx.array | None:
    """Magnitudes ``[..., N, F]`` to ``power``; None inside a transformation."""
    if _left_alone(x):
        return None
    shape = (*x.shape[:-1], framing.frames(x.shape[-1]), framing.n_fft // 2 + 1)
    options = {**framing.padding, "scale": scale, "power": power}
    return _filled(
        "spectrogram", shape, mx.float32, lambda out: cpu.spectrogram(_seen(x), _seen(window), out=out, **options)
    )


def filterbank(
    x: mx.array, window: mx.array, framing: Framing, scale: float, power: float, bank: mx.array, ending: Any
) -> mx.array | None:
    """Filtered spectrogram ``[..., N, filters]``; None inside a transformation."""
    if _left_alone(x):
        return None
    shape = (*x.shape[:-1], bank.shape[1], framing.frames(x.shape[-1]))
    options = {**framing.padding, "scale": scale, "power": power, "ending": ending}

    def fill(out: npt.NDArray[Any]) -> None:
        cpu.filterbank(_seen(x), _seen(window), _seen(bank), out=out.swapaxes(-1, -2), **options)

    return mx.swapaxes(_filled("filterbank", shape, mx.float32, fill), -1, -2)


def project(s: mx.array, bank: mx.array, *, transposed: bool = False, squared: bool = False) -> mx.array | None:
    """``s [..., N, F]``, or its squares, ``@ bank [F, filters]``, or its transpose; None inside a transformation."""
    if _left_alone(s):
        return None
    weights = _seen(bank).T if transposed else _seen(bank)
    shape = (*s.shape[:-1], weights.shape[1])
    return _filled("project", shape, mx.float32, lambda out: cpu.project(_seen(s), weights, squared=squared, out=out))


def _rows(kernel: str, found: dict[str, npt.NDArray[Any]], names: Sequence[str]) -> mx.array:
    """Descriptors by name, each ``[..., N]``, as ``[..., rows, N]``; a contrast is its valleys and then its peaks."""
    diagnostics.used(f"host {kernel}")
    rows = []
    for name in names:
        rows += [found["valley"], found["peak"]] if name == "contrast" else [found[name][..., None, :]]
    return mx.array(np.concatenate(rows, axis=-2))


def describe(x: mx.array, window: mx.array, framing: Framing, wanted: cpu.Wanted) -> mx.array | None:
    """Descriptors ``[..., rows, N]`` of audio ``[..., T]``; None inside a transformation."""
    if _left_alone(x):
        return None
    found = cpu.describe(_seen(x), _seen(window), wanted, precise=True, **framing.padding)
    return _rows("describe", found, wanted.names)


def describe_given(s: mx.array, wanted: cpu.Wanted) -> mx.array | None:
    """Descriptors ``[..., rows, N]`` of magnitudes ``s [..., N, F]``; None inside a transformation."""
    if _left_alone(s):
        return None
    return _rows("describe_given", cpu.describe_given(_seen(s), wanted, precise=True), wanted.names)


def frame_number(x: mx.array, framing: Framing, name: str) -> mx.array | None:
    """``"norm"`` or ``"crossings"`` of each frame of audio ``[..., T]``; None inside a transformation."""
    if _left_alone(x):
        return None
    diagnostics.used(f"host {name}")
    function = cpu.frame_norm if name == "norm" else cpu.frame_crossings
    return mx.array(function(_seen(x), frame_length=framing.n_fft, **framing.padding))
