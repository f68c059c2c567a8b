"""preemphasis and deemphasis of librosa.effects."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np

from mlx_spectro.design.operators import RecursiveFilter
from mlx_spectro.kernels import cpu

from ...arrays.kinds import is_plain
from ...arrays.numpy_options import check_flag, check_plain
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import unread
from .._adapter import adapter
from .._arguments import Array, audio_energy, check_engine, check_size
from .._layout import lying, memory

_deemphasis = librosa.effects.deemphasis
# samples from which on ours is faster; librosa takes longest for what a filter without a state subtracts
_LEAST, _LEAST_GIVEN = 2200, 30_000


def _check_state(zi: Any, y: Array) -> None:
    """Take a filter's state, of any number a row."""
    if type(zi) in (int, float) and y.ndim == 1:
        check_plain("zi", zi)
    elif not (is_plain(zi) and zi.dtype.char in "fd" and zi.shape == (*y.shape[:-1], 1) and np.isfinite(zi).all()):
        raise Decline(unread("zi", zi))


def _plan(y: Array, coef: Any, zi: Any, return_zf: Any) -> None:
    check_engine()
    check_plain("coef", coef, 0, 1)
    check_flag("return_zf", return_zf)
    audio_energy(y)
    if y.shape[-1] < 2:
        raise Decline("there is a single sample")
    if zi is not None:
        _check_state(zi, y)


def _echoes(arguments: dict[str, Any]) -> float:
    """How often a rounding comes again: of samples, or until it has died away."""
    samples, coef = int(arguments["y"].shape[-1]), float(arguments["coef"])
    return 4 + min(samples, 1 / max(1 - coef, 1e-9))


def _deemphasised(y: Array) -> Array:
    result: Array = _deemphasis(y)
    return result


@adapter("librosa.effects.preemphasis", tolerances.elementwise)
def preemphasis(y: Array, *, coef: float = 0.97, zi: Any = None, return_zf: bool = False) -> Work:
    """librosa.effects.preemphasis. Same arguments, same defaults."""
    _plan(y, coef, zi, return_zf)
    factor = y.dtype.type(-coef)

    def work() -> Any:
        # a convolution has a sample more: what the filter remembers
        whole = np.empty((*y.shape[:-1], y.shape[-1] + 1), y.dtype)
        np.multiply(y, factor, out=whole[..., 1:])
        whole[..., 1:-1] += y[..., 1:]
        whole[..., :1] = y[..., :1] + (2 * y[..., :1] - y[..., 1:2] if zi is None else np.asarray(zi, y.dtype))
        return (whole[..., :-1], whole[..., -1:]) if return_zf else whole[..., :-1]

    return work


@adapter("librosa.effects.deemphasis", tolerances.sums, order=_echoes)
def deemphasis(y: Array, *, coef: float = 0.97, zi: Any = None, return_zf: bool = False) -> Work:
    """librosa.effects.deemphasis. Same arguments, same defaults.

    What librosa subtracts for what came before the first sample, the filter is given with it. Ours under
    ``route("auto")`` where samples are many.
    """
    _plan(y, coef, zi, return_zf)
    check_size(y.size, _LEAST if zi is None else _LEAST_GIVEN)
    kind = y.dtype.type
    feedback, feedforward = np.asarray([1.0, -coef], kind), np.ones(1, kind)

    def work() -> Any:
        before = ((2 - coef) * y[..., :1] - y[..., 1:2]) / (3 - coef)
        heard = np.array(y, order="K")
        heard[..., :1] += -before if zi is None else np.asarray(zi, kind)
        out = memory(_deemphasised, lying(y), y.dtype, y.shape, y.dtype)
        result = cpu.run(RecursiveFilter(), heard, feedback, feedforward, out=out)
        if not return_zf:
            return result
        # librosa's state is that of a filter that began with silence
        last = result[..., -1:] + (before * kind(coef ** (y.shape[-1] - 1)) if zi is None else 0)
        return result, (-feedback[1] * last).astype(kind, copy=False)

    return work
