"""Random options, good and bad, on random audio: values, dtypes, memory order and errors are torchaudio's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as shim

FRAMING = {
    "n_fft": st.sampled_from([16, 31, 32, 100, 127, 255, 400]),
    "win_length": st.sampled_from([None, 1, 16, 31, 101]),
    "hop_length": st.sampled_from([None, 1, 7, 50, 405]),
    "pad": st.sampled_from([0, 0, 3, 40]),
    "normalized": st.sampled_from([False, False, True, "window", "frame_length", "loudness"]),
    "center": st.booleans(),
    "pad_mode": st.sampled_from(["reflect", "reflect", "constant", "replicate", "circular", "wrap"]),
    "power": st.sampled_from([2.0, 2, 1.0, 0.5, 3.0]),
}
MELS = {"n_mels": st.sampled_from([4, 8]), "norm": st.sampled_from([None, "slaney"])}
# the options of each class, those of its parts, and what it names them
CLASSES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "Spectrogram": (FRAMING, {}, ""),
    "MelSpectrogram": ({**FRAMING, **MELS}, {}, ""),
    "MFCC": ({"n_mfcc": st.just(3), "log_mels": st.booleans()}, {**FRAMING, **MELS}, "melkwargs"),
    "LFCC": ({"n_lfcc": st.just(3), "n_filter": st.just(6), "log_lf": st.booleans()}, FRAMING, "speckwargs"),
}
SHAPES = [(300,), (40,), (2, 300), (1, 999), (2, 3, 300), (0, 300), (2, 0)]
DTYPES = ["float32", "float32", "float32", "float64", "float16", "int32", "complex64"]
VIEWS = {
    "as it is": lambda x: x,
    "every second": lambda x: x[..., ::2],
    "interleaved": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    "repeated": lambda x: x.expand(2, *x.shape),
}


def outcome(library: Any, kind: str, options: dict[str, Any], x: Any) -> Any:
    """A result, or the error that is raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = getattr(library.transforms, kind)(**options)
            return (module.double() if x.dtype == torch.float64 else module)(x)
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
            return type(error), str(error)


def strides(x: Any) -> list[int]:
    return [stride for stride, length in zip(x.stride(), x.shape, strict=True) if length > 1]


@pytest.mark.parametrize("kind", CLASSES)
@settings(max_examples=250, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_random_calls_are_torchaudio_s(kind: str, data: Any) -> None:
    own, parts, name = CLASSES[kind]
    options = data.draw(st.fixed_dictionaries({}, optional=own))
    if parts:
        options[name] = data.draw(st.fixed_dictionaries({}, optional=parts))
    shape = data.draw(st.sampled_from(SHAPES))
    x = torch.from_numpy(np.random.default_rng(sum(shape)).standard_normal(shape))
    x = VIEWS[data.draw(st.sampled_from(list(VIEWS)))](x.to(getattr(torch, data.draw(st.sampled_from(DTYPES)))))
    with compat.route("ours"):
        mine, theirs = outcome(shim, kind, options, x), outcome(torchaudio, kind, options, x)
    if isinstance(theirs, tuple):
        assert mine == theirs
        return
    assert (mine.dtype, mine.shape, strides(mine)) == (theirs.dtype, theirs.shape, strides(theirs))
    # logarithms of bins 80 dB down keep four digits
    tolerance = 1e-3 if name else 1e-5
    assert mine.numel() == 0 or (mine - theirs).abs().max() <= tolerance * theirs.abs().max()
