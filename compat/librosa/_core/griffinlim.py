"""griffinlim of librosa."""

from __future__ import annotations

import inspect
from typing import Any

import librosa
import numpy as np

from mlx_spectro.design.operators import GriffinLim, Stft
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_choice, check_plain, check_whole
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.inside import bind
from ...contract.reasons import ByDesign
from .._adapter import adapter
from .._analysis import framing_of
from .._arguments import Array, check_array, check_engine, check_result
from .._synthesis import synthesis

_DEFAULTS = {name: one.default for name, one in inspect.signature(librosa.griffinlim).parameters.items()}
_DEFAULT_STATE = _DEFAULTS["random_state"]
# from librosa 1.0 on, random numbers come from rng
_OF_RNG = "rng" in _DEFAULTS
# of what is larger, squares of spectra may overflow, and reciprocals vanish
_LARGEST = {"f": 1e15, "d": 1e150}


def check_generator(rng: Any, random_state: Any, default_state: Any = _DEFAULT_STATE) -> None:
    """Decline random numbers that are not drawn as librosa draws them."""
    if _OF_RNG:
        if random_state is not default_state:
            raise Decline("random_state is deprecated, of which librosa warns: pass rng")
        given, repeats = rng, type(rng) is int and rng >= 0
    else:
        given, repeats = random_state, type(random_state) is int and 0 <= random_state < 1 << 32
    if not (repeats or given is None or isinstance(given, (np.random.RandomState, np.random.Generator))):
        raise Decline("the generator of random numbers is neither a seed nor one of NumPy's")
    if not repeats and settings.numerics.get() == "verify":
        raise Decline(ByDesign("phases are drawn at random, and a second run to compare with would draw others"))


def generator(rng: Any, random_state: Any) -> Any:
    """The generator that librosa draws from."""
    given: Any = rng if _OF_RNG else random_state
    if type(given) is int and not _OF_RNG:
        return np.random.RandomState(given)
    return given if isinstance(given, np.random.RandomState) else np.random.default_rng(given)


def iterations(arguments: dict[str, Any]) -> int:
    """Iterations, each of which is a few roundings, and makes those before it larger."""
    return int(arguments["n_iter"])


@adapter("librosa.griffinlim", tolerances.iterated, also="librosa.core", order=iterations)
def griffinlim(
    S: Array,
    *,
    n_iter: int = 32,
    hop_length: int | None = None,
    win_length: int | None = None,
    n_fft: int | None = None,
    window: Any = "hann",
    center: bool = True,
    dtype: Any = None,
    length: int | None = None,
    pad_mode: Any = "constant",
    momentum: float = 0.99,
    init: Any = "random",
    rng: Any = None,
    random_state: Any = _DEFAULT_STATE,
) -> Work:
    """librosa.griffinlim. Same arguments, same defaults.

    The same random numbers, and transforms as precise as librosa's. A few iterations make a rounding a thousand times
    larger, and so results differ in their last digits: they are as near to the magnitudes.
    """
    check_engine()
    check_array(S)
    if S.dtype.kind != "f" or S.ndim < 2 or S.shape[-2] < 2:
        raise Decline("S is no real spectrogram, or has a single bin")
    check_whole("n_iter", n_iter, 0)
    check_plain("momentum", momentum, 0, 1)
    check_choice("init", init, "random", None)
    spectra = np.result_type(S, np.complex64)
    inverse = synthesis(S.shape[-2:], spectra, n_fft, hop_length, win_length, window, center, length)
    (size, hop, *_), samples = inverse.op.framing, inverse.op.length
    framing = framing_of(samples, size, hop, center, pad_mode, in_parts=True)
    if framing.frames(samples) != S.shape[-1]:
        raise Decline("length asks for audio that has another number of frames than S")
    check_result((*S.shape[:-2], samples), S.dtype, dtype, None)
    most = _LARGEST[S.dtype.char]
    if not (float(S.min()) > -most and float(S.max()) < most):
        raise Decline("S holds values that are not finite, or so large that their squares may overflow")
    check_generator(rng, random_state)
    tiny = float(np.finfo(S.dtype).tiny)
    op = GriffinLim(inverse.op, Stft(framing), int(n_iter), momentum / (1 + momentum), tiny)

    def work() -> Array:
        levels = np.ascontiguousarray(S.swapaxes(-1, -2))
        if init is None:
            start = levels.astype(spectra)
        else:
            bind()
            turns = generator(rng, random_state).random(size=S.shape)
            start = cpu.with_phases(levels, np.ascontiguousarray(turns.swapaxes(-1, -2)))
        return cpu.run(op, levels, start, inverse.window, precise=S.dtype == np.float32)

    return work
