"""Where a small call spends its time: in Python, in MLX, on the device."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import mlx.core as mx
import numpy as np

from mlx_spectro import SpectralTransform
from mlx_spectro.ops import backend
from parity_tests.table import console

from .clock import Contender, medians
from .contest import SIZES, serving


def _submitted(call: Callable[[], mx.array]) -> None:
    mx.async_eval(call())


def _awaited(call: Callable[[], mx.array]) -> None:
    mx.eval(call())


def show(device: str) -> None:
    """Print, for small sizes: building the graph, submitting it, and the whole call with its result awaited."""
    rows = []
    for size in SIZES[device][:3]:
        transform = SpectralTransform(size.n_fft, size.hop_length)
        x = mx.array(np.random.default_rng(0).standard_normal((size.batch, size.length), np.float32))
        z = transform.stft(x)
        mx.eval(x, z)
        calls: dict[str, Callable[[], mx.array]] = {
            "stft": partial(transform.stft, x),
            "istft": partial(transform.istft, z, size.length),
        }
        for implementation in backend.implementations():
            setting = serving(implementation)
            for name, call in calls.items():
                seconds = medians(
                    {
                        "python": Contender(call, None, setting),
                        "submitted": Contender(partial(_submitted, call), mx.synchronize, setting),
                        "awaited": Contender(partial(_awaited, call), None, setting),
                    }
                )
                rows.append([name, str(size), implementation, *(f"{value * 1e6:.1f}" for value in seconds.values())])
    header = ("call", "batch x samples n_fft/hop", "by", "python us", "submitted us", "awaited us")
    console.show("Time of a call: building its graph; 50 submitted together, each; one awaited", header, rows)
