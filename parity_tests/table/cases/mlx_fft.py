"""SpectralTransform beside MLX's own mx.fft.stft and mx.fft.istft."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample
from .stft import istft_samples, native_istft, native_stft, stft_samples

WHY = (
    "two float32 FFTs of one length round differently. Otherwise MLX's own take a rectangular window where none is "
    "given (ours: Hann), give a single signal no batch axis, say norm='ortho' for normalized=True and 'edge' for "
    "'replicate', know no 'circular', mirror a signal shorter than half a frame more than once (ours refuses), refuse "
    "one shorter than a frame that is not padded (ours: zeros behind it), and take all bins of a two-sided spectrum "
    "(ours: the half that says all of a real signal)"
)
PADS = {"reflect": "reflect", "constant": "constant", "replicate": "edge"}


def of_stft() -> Iterator[Sample]:
    return (sample for sample in stft_samples() if sample.kwargs.get("pad_mode", "reflect") in PADS)


def of_istft() -> Iterator[Sample]:
    return (sample for sample in istft_samples() if sample.kwargs.get("onesided") is not False)


def _by_mlx(transform: str, x: Any, n_fft: int, hop: int, options: dict[str, Any]) -> Any:
    """A transform of mx.fft of torch's arrays and options; in double precision, which MLX does not have, torch's."""
    import mlx.core as mx
    import torch

    if x.dtype in (torch.float64, torch.complex128):
        return getattr(torch, transform)(x, n_fft, hop, **options)
    given: dict[str, Any] = {name: options[name] for name in ("win_length", "center", "length") if name in options}
    if transform == "stft":
        given["pad_mode"] = PADS[options.get("pad_mode", "reflect")]
    given["norm"] = "ortho" if options.get("normalized") else "backward"
    given["onesided"] = options.get("onesided") is not False
    window = mx.array(options["window"].numpy())
    found = getattr(mx.fft, transform)(mx.array(x.numpy()), n_fft, hop, window=window, **given)
    return torch.from_numpy(np.array(found))


def mlx_stft(x: Any, n_fft: int, hop: int, **options: Any) -> Any:
    return _by_mlx("stft", x, n_fft, hop, options)


def mlx_istft(z: Any, n_fft: int, hop: int, **options: Any) -> Any:
    return _by_mlx("istft", z, n_fft, hop, options)


ROWS = [
    Row("SpectralTransform.stft as mx.fft.stft", mlx_stft, of_stft, WHY, against="mlx", ours=native_stft),
    Row("SpectralTransform.istft as mx.fft.istft", mlx_istft, of_istft, WHY, against="mlx", ours=native_istft),
]
