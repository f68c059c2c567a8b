"""griffinlim_cqt of librosa."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np

from ...arrays.numpy_options import check_choice, check_plain, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.inside import bind
from .._adapter import adapter
from .._arguments import LARGEST, Array, check_array, check_engine, energy
from .constantq import cqt, icqt
from .griffinlim import check_generator, generator, iterations

_phasor, _note_to_hz = librosa.util.phasor, librosa.note_to_hz
# with librosa 1.0, one of each function's own
_DEFAULT_STATE = inspect.signature(librosa.griffinlim_cqt).parameters["random_state"].default
_TINY = np.finfo(np.float32).tiny
# by how much more the squares of a spectrum may be than those that it is made of
_GROWTH = 1e9


def _repeated(function: Any, like: Array, options: dict[str, Any]) -> Callable[[Array], Array]:
    """``function`` of many arrays, planned once for those that are ``like`` one in shape and dtype."""
    planned = function.plan(like, **options)

    def of(x: Array) -> Array:
        if (x.shape, x.dtype) == (like.shape, like.dtype):
            with contextlib.suppress(Decline):
                result: Array = planned.run(x)
                return result
        result = function(x, **options)
        return result

    return of


@adapter("librosa.griffinlim_cqt", tolerances.iterated, also="librosa.core", order=iterations)
def griffinlim_cqt(
    C: Array,
    *,
    n_iter: int = 32,
    sr: float = 22050,
    hop_length: int = 512,
    fmin: float | None = None,
    bins_per_octave: int = 12,
    tuning: float = 0.0,
    filter_scale: float = 1,
    norm: float | None = 1,
    sparsity: float = 0.01,
    window: Any = "hann",
    scale: bool = True,
    pad_mode: Any = "constant",
    res_type: str = "soxr_hq",
    dtype: Any = None,
    length: int | None = None,
    momentum: float = 0.99,
    init: Any = "random",
    rng: Any = None,
    random_state: Any = _DEFAULT_STATE,
) -> Work:
    """librosa.griffinlim_cqt. Same arguments, same defaults.

    From the same random numbers, by our constant-Q transform and its inverse.
    """
    check_engine()
    check_array(C)
    if C.dtype.kind != "f" or C.ndim < 2:
        raise Decline("C is no real array of two axes or more")
    if not _GROWTH * energy(C) < LARGEST["f"]:
        raise Decline("C is not finite, or so large that squares may overflow")
    check_whole("n_iter", n_iter, 0)
    check_plain("momentum", momentum, 0, 1)
    check_choice("init", init, "random", None)
    check_generator(rng, random_state, _DEFAULT_STATE)
    design: dict[str, Any] = {
        "sr": sr, "hop_length": hop_length, "fmin": _note_to_hz("C1") if fmin is None else fmin,
        "bins_per_octave": bins_per_octave, "tuning": tuning, "filter_scale": filter_scale, "norm": norm,
        "sparsity": sparsity, "window": window, "scale": scale, "res_type": res_type,
    }  # fmt: skip
    back = {**design, "length": length, "dtype": dtype}
    forth = {**design, "n_bins": C.shape[-2], "pad_mode": pad_mode}
    # before a random number is drawn, and before librosa warns of audio that is too short
    inverse = _repeated(icqt, C.astype(np.result_type(C, np.complex64)), back)
    samples = hop_length * (C.shape[-1] - 1) if length is None else length
    # librosa's scales are float64
    signals = np.float64 if scale else C.dtype
    transform = _repeated(cqt, np.zeros((*C.shape[:-2], int(samples)), signals), forth)

    def work() -> Array:
        bind()
        angles = np.empty(C.shape, np.complex64)
        angles[:] = 1.0 if init is None else _phasor(2 * np.pi * generator(rng, random_state).random(size=C.shape))
        rebuilt: Any = np.array(0.0)
        for _ in range(n_iter):
            before = rebuilt
            rebuilt = transform(inverse(C * angles))
            angles[:] = rebuilt - (momentum / (1 + momentum)) * before
            angles[:] /= np.abs(angles) + _TINY
        return inverse(C * angles)

    return work
