"""Contests of our own: round trips, transforms on MLX arrays against the references', descriptors together."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from mlx_spectro import compat
from mlx_spectro.ops import backend
from parity_tests.table.case import Row
from parity_tests.table.cases import table

from .clock import Contender
from .contest import Contest, Size, arrays, batched, on_mlx, on_torch, serving


def round_trip(size: Size, device: str) -> Contest:
    """stft -> istft, and back through both: the gradient of the squared difference from a target."""
    import mlx.core as mx
    import torch

    from mlx_spectro import SpectralTransform

    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((2, size.batch, size.length), np.float32)
    window = torch.hann_window(size.n_fft)
    signal, goal, window = arrays("torch", device, (torch.from_numpy(x), torch.from_numpy(target), window))
    signal = signal.requires_grad_()

    def by_torch(module: Any) -> Any:
        z = module.stft(signal, size.n_fft, size.hop_length, window=window, return_complex=True)
        y = module.istft(z, size.n_fft, size.hop_length, window=window, length=size.length)
        return torch.autograd.grad((y - goal).square().sum(), signal)

    transform = SpectralTransform(size.n_fft, size.hop_length)
    mine, aim = mx.array(x), mx.array(target)

    def loss(x: mx.array) -> mx.array:
        y = transform.differentiable_istft(transform.differentiable_stft(x), length=size.length)
        return mx.square(y - aim).sum()

    gradient = mx.grad(loss)
    # how far stft -> istft alone is from the signal
    errors = {
        "torch": _round_trip_error(torch, signal, window, size),
        "mlx": float(mx.abs(transform.istft(transform.stft(mine), size.length) - mine).max()),
    }
    contenders = {"torch": on_torch(lambda: by_torch(torch), device)}
    for implementation in backend.implementations():
        contenders[f"mlx {implementation}"] = on_mlx(gradient, device, mine, implementation=implementation)
        if device == "cpu":
            contenders[implementation] = Contender(lambda: by_torch(compat.torch), None, serving(implementation))
    # the signal and the target in, the spectrum and the gradient out and in, both ways
    spectrum = size.batch * (1 + size.length // size.hop_length) * (size.n_fft // 2 + 1) * 8
    moved = 4 * spectrum + 6 * x.nbytes
    note = "round-trip error " + ", ".join(f"{name} {error:.1e}" for name, error in errors.items())
    return Contest("round trip forward + backward", size, contenders, moved, x.nbytes, _spectral(), note)


def _round_trip_error(module: Any, signal: Any, window: Any, size: Size) -> float:
    signal = signal.detach()
    z = module.stft(signal, size.n_fft, size.hop_length, window=window, return_complex=True)
    y = module.istft(z, size.n_fft, size.hop_length, window=window, length=size.length)
    return float((y - signal).abs().max())


class Pair(NamedTuple):
    """A transform of the reference's and ours of the same parameters, and what both take."""

    theirs: Callable[[Any], Any]
    ours: Callable[[Any], Any]
    argument: np.ndarray[Any, Any]
    others: Mapping[str, Callable[[Any], Any]] = MappingProxyType({})
    """Transforms of other libraries' on MLX arrays."""


def _stft(size: Size, device: str, inverse: bool) -> Pair:
    import mlx.core as mx
    import torch

    from mlx_spectro import SpectralTransform

    transform = SpectralTransform(size.n_fft, size.hop_length)
    (window,) = arrays("torch", device, (torch.hann_window(size.n_fft),))
    x = np.random.default_rng(0).standard_normal((size.batch, size.length), np.float32)
    sizes: dict[str, Any] = {"n_fft": size.n_fft, "hop_length": size.hop_length, "window": window}
    mine = {**sizes, "window": transform.window}
    if not inverse:
        others: dict[str, Callable[[Any], Any]] = {"mx.fft": functools.partial(mx.fft.stft, **mine)}
        if importlib.util.find_spec("mlx_stft"):
            from mlx_stft import compiled_stft

            others["mlx-stft"] = functools.partial(compiled_stft, n_fft=size.n_fft, hop_length=size.hop_length)
        return Pair(functools.partial(torch.stft, **sizes, return_complex=True), transform.stft, x, others)
    (signal,) = arrays("torch", device, (torch.from_numpy(x),))
    # bins before frames, and frames first in memory, as both leave it
    z = torch.stft(signal, **sizes, return_complex=True).cpu().numpy()
    ours = functools.partial(transform.istft, length=size.length)
    others = {"mx.fft": functools.partial(mx.fft.istft, **mine, length=size.length)}
    return Pair(functools.partial(torch.istft, **sizes, length=size.length), ours, z, others)


def _mels(size: Size, device: str, cepstrum: bool) -> Pair:
    """80 mels at 16 kHz, or 40 cepstra of them."""
    import torchaudio

    import mlx_spectro

    sizes: dict[str, Any] = {"n_fft": size.n_fft, "hop_length": size.hop_length, "n_mels": 80}
    mel = {"sample_rate": 16000, **sizes, "norm": None, "mel_scale": "htk", "center_pad_mode": "reflect"}
    x = np.random.default_rng(0).standard_normal((size.batch, size.length), np.float32)
    if cepstrum:
        theirs: Any = torchaudio.transforms.MFCC(16000, n_mfcc=40, melkwargs=sizes)
        ours: Any = mlx_spectro.MFCCTransform(**mel, n_mfcc=40, top_db=80.0)
    else:
        theirs = torchaudio.transforms.MelSpectrogram(16000, **sizes)
        ours = mlx_spectro.MelSpectrogramTransform(**mel, output_scale="linear", mode="torchaudio_compat")
    return Pair(theirs.cuda() if device == "gpu" else theirs, ours, x)


class Native(NamedTuple):
    """A transform of ours to be timed against the reference's."""

    make: Callable[[Size, str], Pair]
    row: str
    """The row of the parity table that it rests on."""
    against: str
    backward: bool = False
    """Time the gradient of the sum of its result's squares."""


def native(name: str, entry: Native, size: Size, device: str) -> Contest:
    """A reference's transform against ours on MLX arrays."""
    import mlx.core as mx
    import torch

    theirs, ours, x, others = entry.make(size, device)
    (signal,), mine = arrays("torch", device, (torch.from_numpy(x),)), mx.array(x)
    if np.iscomplexobj(x):
        mine = mx.swapaxes(mx.array(np.ascontiguousarray(x.swapaxes(-1, -2))), -1, -2)
        signal = signal.transpose(-1, -2).contiguous().transpose(-1, -2)
    mx.eval(mine)
    expected = theirs(signal).cpu().numpy()
    error = np.abs(np.array(ours(mine)) - expected).max() / np.abs(expected).max()
    function: Callable[..., Any] = ours
    reference: Callable[[], Any] = functools.partial(theirs, signal)
    if entry.backward:
        signal = signal.requires_grad_()

        def loss(x: Any) -> Any:
            return mx.square(ours(x)).sum()

        def gradient() -> Any:
            return torch.autograd.grad(theirs(signal).square().sum(), signal)

        function, reference = mx.grad(loss), gradient

    contenders = {entry.against: on_torch(reference, device)}
    contenders |= {other: on_mlx(call, device, mine) for other, call in others.items()}
    for implementation in backend.implementations():
        contenders[implementation] = on_mlx(function, device, mine, implementation=implementation)
        if device == "gpu":
            contenders[f"{implementation}, batched"] = batched(function, mine, implementation=implementation)
    # a gradient reads the audio and the result's gradient, and writes as much
    moved = 2 * (x.nbytes + expected.nbytes) if entry.backward else x.nbytes + expected.nbytes
    rows = tuple(found for found in table(entry.row) if found.name == entry.row)
    note = f"differs from the reference by {error:.1e}"
    return Contest(name, size, contenders, moved, x.nbytes if entry.backward else expected.nbytes, rows, note)


def bundle(size: Size, device: str) -> Contest:
    """Six descriptors from one STFT against six calls, and against the dearest of these alone."""
    import mlx.core as mx

    import mlx_spectro
    from mlx_spectro.features.bundle import FEATURES

    x = mx.array(np.random.default_rng(0).standard_normal((size.batch, size.length), np.float32))
    sizes: dict[str, Any] = {"n_fft": size.n_fft, "hop_length": size.hop_length}
    bands: dict[str, dict[str, Any]] = {"spectral_contrast": {"n_bands": 4}, "mfcc": {"n_mels": 40}}

    def together(x: mx.array) -> list[mx.array]:
        found = mlx_spectro.spectral_features(x, n_bands=4, n_mels=40, **sizes)
        return list(found.values())

    def apart(x: mx.array) -> list[mx.array]:
        return [one(x, name) for name in FEATURES]

    def one(x: mx.array, name: str = "spectral_contrast") -> mx.array:
        found: mx.array = getattr(mlx_spectro, name)(x, **sizes, **bands.get(name, {}))
        return found

    contenders = {}
    for implementation in reversed(backend.implementations()):
        for name, function in (("six calls", apart), ("bundle", together), ("contrast alone", one)):
            contenders[f"{name} {implementation}"] = on_mlx(function, device, x, implementation=implementation)
    result = sum(y.nbytes for y in together(x))
    rows = tuple(table("spectral_features"))
    return Contest("six descriptors", size, contenders, x.nbytes + result, result, rows)


def compiled(size: Size, device: str) -> Contest:
    """A round trip by eager methods against compiled_pair."""
    import mlx.core as mx

    from mlx_spectro import SpectralTransform

    transform = SpectralTransform(size.n_fft, size.hop_length)
    x = mx.array(np.random.default_rng(0).standard_normal((size.batch, size.length), np.float32))
    stft, istft = transform.compiled_pair(length=size.length, warmup_batch=size.batch)
    contenders = {}
    for implementation in reversed(backend.implementations()):
        contenders[f"eager {implementation}"] = on_mlx(
            lambda: transform.istft(transform.stft(x), size.length), device, implementation=implementation
        )
        contenders[f"compiled {implementation}"] = on_mlx(lambda: istft(stft(x)), device, implementation=implementation)
    spectrum = size.batch * (1 + size.length // size.hop_length) * (size.n_fft // 2 + 1) * 8
    return Contest("eager against compiled_pair", size, contenders, 2 * spectrum + 2 * x.nbytes, x.nbytes, _spectral())


def _spectral() -> tuple[Row, ...]:
    names = ("torch.stft", "torch.istft", "SpectralTransform.stft", "SpectralTransform.istft")
    return tuple(row for row in table("stft") if row.name in names)


_mel = functools.partial(_mels, cepstrum=False)
NATIVE = {
    "SpectralTransform.stft": Native(functools.partial(_stft, inverse=False), "SpectralTransform.stft", "torch"),
    "SpectralTransform.istft": Native(functools.partial(_stft, inverse=True), "SpectralTransform.istft", "torch"),
    "mel": Native(_mel, "MelSpectrogramTransform", "torchaudio"),
    "mel forward + backward": Native(_mel, "MelSpectrogramTransform", "torchaudio", backward=True),
    "MFCC": Native(functools.partial(_mels, cepstrum=True), "MFCCTransform", "torchaudio"),
}
OWN: dict[str, Callable[[Size, str], Contest]] = {"round trip": round_trip, "compiled": compiled}
OWN |= {name: functools.partial(native, name, entry) for name, entry in NATIVE.items()}
OWN |= {"six descriptors": bundle}
# what is timed too where these are asked for
ALSO = {"round trip": "stft,istft", "compiled": "stft,istft"}
