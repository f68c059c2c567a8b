"""Audio of magnitudes, on MLX arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import HeavyTail, Row, Sample, each_signal, pairwise
from ..native import lazily
from .torchaudio_griffinlim import ENOUGH, WHY, powers


def by_librosa(s: Any, *, phase: Any, window_fn: str = "hann", power: float = 1.0, **parameters: Any) -> Any:
    """librosa's, from phases of 0, called with native parameters."""
    import librosa

    assert not phase.any()
    pad_mode = parameters.pop("center_pad_mode", "constant")
    return librosa.griffinlim(s ** (1 / power), init=None, window=window_fn, pad_mode=pad_mode, **parameters)


def samples() -> Iterator[Sample]:
    def of(x: Any) -> Sample:
        s = powers(x, 512, 128, 1.0)
        return Sample("", (s,), {"n_iter": 2, "hop_length": 128, "phase": np.zeros_like(s)})

    yield from each_signal(of, [name for name in ENOUGH if name not in ("stereo_batch", "nan_in_the_middle")])
    x = np.random.default_rng(104).standard_normal((6, 4000)).astype(np.float32)
    for o in pairwise(
        n_fft=(400, 512, 255, 74),
        win_length=(None, 0.7),
        overlap=(0.25, 0.5),
        window_fn=("hann", "hamming"),
        center_pad_mode=("constant", "reflect"),
        power=(1.0, 2.0),
        n_iter=(1, 4, 0),
        momentum=(0.99, 0.0),
        longer=(False, True),
        rows=(slice(None), 0, (0, 0)),
    ):
        label, n_fft, longer = f"{o}", o["n_fft"], o.pop("longer")
        win_length = int(n_fft * (o.pop("win_length") or 1))
        hop = int(win_length * o.pop("overlap"))
        s = powers(x, n_fft, hop, o["power"])
        s = s.reshape(2, 3, *s.shape[-2:])[o.pop("rows")]
        if longer:
            o["length"] = hop * (s.shape[-1] - 1) + hop // 2
        yield Sample(label, (s,), {**o, "hop_length": hop, "win_length": win_length, "phase": np.zeros_like(s)})


ROWS = [
    Row(
        "griffinlim",
        by_librosa,
        samples,
        WHY,
        against="librosa",
        ours=lazily("griffinlim"),
        judged=HeavyTail(),
    )
]
