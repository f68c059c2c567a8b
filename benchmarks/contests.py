"""What is timed: each row of the parity table that has a timing, on each size, and a few contests of our own."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from mlx_spectro import backend, compat
from parity_tests import measure
from parity_tests.case import Row, Sample
from parity_tests.cases import table

from .clock import Contender


class Size(NamedTuple):
    """Signals in a batch, samples a signal, frame length, hop."""

    batch: int
    length: int
    n_fft: int
    hop_length: int

    def __str__(self) -> str:
        return f"{self.batch} x {self.length} {self.n_fft}/{self.hop_length}"


_COMMON = (
    Size(1, 16_000, 512, 128),
    Size(4, 160_000, 1024, 256),
    Size(8, 160_000, 1024, 256),
    Size(4, 1_300_000, 1024, 256),
    Size(8, 480_000, 1024, 256),
)
SIZES = {
    "cpu": (*_COMMON, Size(16, 480_000, 400, 160), Size(4, 1_300_000, 2048, 512)),
    "gpu": (*_COMMON, Size(32, 480_000, 400, 160), Size(16, 1_300_000, 2048, 512)),
}


class Contest(NamedTuple):
    """Contenders for one piece of work; the first is the reference."""

    name: str
    size: Size
    contenders: dict[str, Contender]
    moved: int
    """Bytes that any way of doing it has to read or write."""
    result: int
    """Bytes of the result."""
    rows: tuple[Row, ...]
    """Rows of the parity table that must be green."""
    note: str = ""
    """What was found beside the times."""


def serving(implementation: backend.Implementation) -> Callable[[], contextlib.AbstractContextManager[object]]:
    """Have one implementation of ours do the work."""

    @contextlib.contextmanager
    def setting() -> Iterator[None]:
        with backend.implementation(implementation), compat.route("ours"):
            yield

    return setting


def on_mlx(function: Callable[..., Any], device: str, *args: Any, **kwargs: Any) -> Contender:
    """``function`` of MLX arrays, evaluated; ``implementation`` says by whom."""
    import mlx.core as mx

    implementation = kwargs.pop("implementation", "plain")
    if device == "gpu":
        return Contender(lambda: mx.async_eval(function(*args, **kwargs)), mx.synchronize, serving(implementation))
    return Contender(lambda: mx.eval(function(*args, **kwargs)), None, serving(implementation))


_TOGETHER = 5


def batched(function: Callable[..., Any], *args: Any, implementation: backend.Implementation) -> Contender:
    """``function`` of MLX arrays on a GPU, several calls to an evaluation."""
    import mlx.core as mx

    def work() -> None:
        mx.async_eval([function(*args) for _ in range(_TOGETHER)])

    return Contender(work, mx.synchronize, serving(implementation), _TOGETHER)


def on_torch(function: Callable[[], Any], device: str) -> Contender:
    """``function`` of torch tensors, or of host arrays."""
    if device != "gpu":
        return Contender(function)
    import torch

    return Contender(function, torch.cuda.synchronize)


def arrays(kind: str, device: str, x: Any) -> Any:
    """``x`` with its arrays in the library and on the device where they are to be timed."""
    found = measure.to_library(kind, x)
    if kind == "torch" and device == "gpu":
        move = lambda y: y.cuda() if hasattr(y, "cuda") else y  # noqa: E731
        return {k: move(v) for k, v in found.items()} if isinstance(found, dict) else tuple(map(move, found))
    return found


def _nbytes(x: Any) -> int:
    values = x.values() if isinstance(x, dict) else x
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray))


def of_row(row: Row, size: Size, device: str) -> Contest:
    """The reference against each implementation of ours, on the reference's own arrays or, natively, on MLX's."""
    assert row.timing is not None
    sample = row.timing.sample(*size)
    ours, theirs = row.resolve()
    args, kwargs = arrays(row.their_arrays, device, sample.args), arrays(row.their_arrays, device, sample.kwargs)
    contenders = {row.against: on_torch(lambda: theirs(*args, **kwargs), device)}
    for implementation in backend.implementations():
        if row.unserved(implementation):
            continue
        if row.native:
            mine = measure.to_library("mlx", sample.args), measure.to_library("mlx", sample.kwargs)
            call = functools.partial(ours, **mine[1])
            contenders[implementation] = on_mlx(call, device, *mine[0], implementation=implementation)
            if device == "gpu":
                contenders[f"{implementation}, batched"] = batched(call, *mine[0], implementation=implementation)
        else:
            contenders[implementation] = Contender(lambda: ours(*args, **kwargs), None, serving(implementation))
    contenders |= _others(row, sample, device)
    result = sum(array.nbytes for array in measure.flat(measure.evaluate(theirs, row.their_arrays, sample)))
    return Contest(row.name, size, contenders, _nbytes(sample.args) + result, result, (row,))


def _others(row: Row, sample: Sample, device: str) -> dict[str, Contender]:
    """Other libraries' functions for the same work, those installed."""
    if row.name not in ("torch.stft", "torch.istft", "SpectralTransform.stft"):
        return {}
    x, n_fft, hop = sample.args[:3]
    window = sample.kwargs.get("window")
    found: dict[str, Contender] = {}
    if device == "cpu" and row.against == "torch" and not row.native and importlib.util.find_spec("librosa"):
        import librosa

        function = librosa.stft if row.name == "torch.stft" else librosa.istft
        options = {"length": sample.kwargs["length"]} if row.name == "torch.istft" else {"pad_mode": "reflect"}
        found["librosa"] = Contender(lambda: function(x, n_fft=n_fft, hop_length=hop, window=window, **options))
    if row.name == "SpectralTransform.stft" and importlib.util.find_spec("mlx_stft"):
        import mlx.core as mx
        from mlx_stft import compiled_stft

        signal = mx.array(x)
        found["mlx-stft"] = on_mlx(lambda: compiled_stft(signal, n_fft=n_fft, hop_length=hop), device)
    return found


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


def _stft(size: Size, device: str, inverse: bool) -> Pair:
    import torch

    from mlx_spectro import SpectralTransform

    transform = SpectralTransform(size.n_fft, size.hop_length)
    (window,) = arrays("torch", device, (torch.hann_window(size.n_fft),))
    x = np.random.default_rng(0).standard_normal((size.batch, size.length), np.float32)
    sizes: dict[str, Any] = {"n_fft": size.n_fft, "hop_length": size.hop_length, "window": window}
    if not inverse:
        return Pair(functools.partial(torch.stft, **sizes, return_complex=True), transform.stft, x)
    (signal,) = arrays("torch", device, (torch.from_numpy(x),))
    # bins before frames, and frames first in memory, as both leave it
    z = torch.stft(signal, **sizes, return_complex=True).cpu().numpy()
    ours = functools.partial(transform.istft, length=size.length)
    return Pair(functools.partial(torch.istft, **sizes, length=size.length), ours, z)


def _mel(size: Size, device: str, cepstrum: bool) -> Pair:
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


def native(make: Callable[[Size, str], Pair], row: str, name: str, backward: bool, size: Size, device: str) -> Contest:
    """A reference's transform against ours on MLX arrays; ``backward``: the gradient of its result's squares' sum."""
    import mlx.core as mx
    import torch

    theirs, ours, x = make(size, device)
    (signal,), mine = arrays("torch", device, (torch.from_numpy(x),)), mx.array(x)
    if np.iscomplexobj(x):
        mine = mx.swapaxes(mx.array(np.ascontiguousarray(x.swapaxes(-1, -2))), -1, -2)
        signal = signal.transpose(-1, -2).contiguous().transpose(-1, -2)
    mx.eval(mine)
    expected = theirs(signal).cpu().numpy()
    error = np.abs(np.array(ours(mine)) - expected).max() / np.abs(expected).max()
    function, reference = ours, functools.partial(theirs, signal)
    if backward:
        signal = signal.requires_grad_()
        function = mx.grad(lambda x: mx.square(ours(x)).sum())

        def reference() -> Any:
            return torch.autograd.grad(theirs(signal).square().sum(), signal)

    contenders = {"torch" if make in (_stft_only, _istft_only) else "torchaudio": on_torch(reference, device)}
    for implementation in backend.implementations():
        contenders[implementation] = on_mlx(function, device, mine, implementation=implementation)
        if device == "gpu":
            contenders[f"{implementation}, batched"] = batched(function, mine, implementation=implementation)
    # a gradient reads the audio and the result's gradient, and writes as much
    moved = 2 * (x.nbytes + expected.nbytes) if backward else x.nbytes + expected.nbytes
    rows = tuple(found for found in table(row) if found.name == row)
    note = f"differs from the reference by {error:.1e}"
    return Contest(name, size, contenders, moved, x.nbytes if backward else expected.nbytes, rows, note)


def bundle(size: Size, device: str) -> Contest:
    """Six descriptors from one STFT against six calls."""
    import mlx.core as mx

    import mlx_spectro
    from mlx_spectro.bundle import FEATURES

    x = mx.array(np.random.default_rng(0).standard_normal((size.batch, size.length), np.float32))
    sizes: dict[str, Any] = {"n_fft": size.n_fft, "hop_length": size.hop_length}
    bands: dict[str, dict[str, Any]] = {"spectral_contrast": {"n_bands": 4}, "mfcc": {"n_mels": 40}}

    def together(x: mx.array) -> list[mx.array]:
        found = mlx_spectro.spectral_features(x, n_bands=4, n_mels=40, **sizes)
        return list(found.values())

    def apart(x: mx.array) -> list[mx.array]:
        return [getattr(mlx_spectro, name)(x, **sizes, **bands.get(name, {})) for name in FEATURES]

    contenders = {}
    for implementation in reversed(backend.implementations()):
        for name, function in (("six calls", apart), ("bundle", together)):
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


def _stft_only(size: Size, device: str) -> Pair:
    return _stft(size, device, inverse=False)


def _istft_only(size: Size, device: str) -> Pair:
    return _stft(size, device, inverse=True)


def _mel_only(size: Size, device: str) -> Pair:
    return _mel(size, device, cepstrum=False)


def _mfcc_only(size: Size, device: str) -> Pair:
    return _mel(size, device, cepstrum=True)


# how each is made, the row of the parity table that it rests on, and whether its gradient is timed
NATIVE = {
    "SpectralTransform.stft": (_stft_only, "SpectralTransform.stft", False),
    "SpectralTransform.istft": (_istft_only, "SpectralTransform.istft", False),
    "mel": (_mel_only, "MelSpectrogramTransform", False),
    "mel forward + backward": (_mel_only, "MelSpectrogramTransform", True),
    "MFCC": (_mfcc_only, "MFCCTransform", False),
}
OWN: dict[str, Callable[[Size, str], Contest]] = {"round trip": round_trip, "compiled": compiled}
OWN |= {name: functools.partial(native, make, row, name, back) for name, (make, row, back) in NATIVE.items()}
OWN |= {"six descriptors": bundle}
# what is timed too where these are asked for
_ALSO = {"round trip": "stft,istft", "compiled": "stft,istft"}


def contests(only: list[str], device: str) -> Iterator[Callable[[], Contest]]:
    """Everything to be timed on ``device``; an array is made only when its contest is."""
    for row in table(*only):
        # torch tensors on a GPU are torch's to serve, so only native rows are timed there
        if row.timing and not row.missing() and (device == "cpu" or row.native):
            for size in SIZES[device]:
                yield lambda row=row, size=size: of_row(row, size, device)  # type: ignore[misc]
    for name, make in OWN.items():
        wanted = not only or any(part in name or part in _ALSO.get(name, "") for part in only)
        if wanted and (name == "six descriptors" or importlib.util.find_spec("torch")):
            for size in SIZES[device]:
                yield lambda make=make, size=size: make(size, device)  # type: ignore[misc]
