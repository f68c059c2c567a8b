"""What a stream stands for: an offline call, its options, and what is called of it for a part of a signal."""

from __future__ import annotations

import contextlib
import copy
import importlib
from collections.abc import Callable, Iterator
from typing import Any

from mlx_spectro.design.framing import Framing, centred
from mlx_spectro.design.streams import Frames, Samples

from ..contract import settings
from ..contract.adapter import adapters
from .arrays import OfMLX, OfNumPy, OfTorch

Options = dict[str, Any]


def public_name(offline: Any) -> str:
    """The name of a function or of an instance's class, a library's own or ours; empty where we serve none such."""
    kind = offline if hasattr(offline, "__qualname__") else type(offline)
    parts = str(kind.__module__).split(".")
    for library in ("torchaudio", "librosa", "torch"):
        if library in parts:
            importlib.import_module(f"mlx_spectro.compat.{library}")
            break
    return next((name for name, known in adapters.items() if kind in (known.original, known.ours)), "")


@contextlib.contextmanager
def _one_engine() -> Iterator[None]:
    """The same kernels for long signals and short ones."""
    with settings.route.here("ours"), settings.device.here("cpu"):
        yield


def _offline(function: Callable[..., Any]) -> Callable[..., Any]:
    """A call of a whole signal."""

    def call(*args: Any, **kwargs: Any) -> Any:
        with _one_engine():
            return function(*args, **kwargs)

    return call


def _served(function: Callable[..., Any]) -> Callable[..., Any]:
    """A call of a part of a signal: where our kernels do not serve it, an error says why."""

    def call(*args: Any, **kwargs: Any) -> Any:
        with _one_engine(), settings.on_fallback.here("raise"):
            return function(*args, **kwargs)

    return call


def _required(options: Options, name: str) -> Any:
    if options.get(name) is None:
        raise ValueError(f"{name} must be given: a stream has to know it before the first chunk")
    return options[name]


def _without(options: Options, *names: str) -> None:
    for name in names:
        if options.get(name) is not None:
            raise ValueError(f"{name} cannot be streamed")


def _framing(n_fft: int, hop_length: int, center: bool, pad_mode: str) -> Callable[[int], Framing]:
    return lambda length: centred(length, n_fft, hop_length, pad_mode) if center else Framing(n_fft, hop_length)


def _lengths(options: Options, n_fft: int) -> tuple[int, int]:
    """``n_fft`` and the hop, as torch and librosa have it by default."""
    quarter = int(options.get("win_length") or n_fft) // 4
    return n_fft, int(options.get("hop_length") or quarter)


def torch_stft(options: Options) -> Frames:
    """:func:`torch.stft`."""
    n_fft = _required(options, "n_fft")
    hop_length = options.get("hop_length") or n_fft // 4
    options = {"return_complex": True, **options}
    if options["return_complex"] is not True:
        raise ValueError("return_complex must be True: a stream's frames are the last axis")
    framing = _framing(n_fft, hop_length, options.get("center", True), options.get("pad_mode", "reflect"))
    whole, part = _offline(adapters["torch.stft"].ours), _served(adapters["torch.stft"].ours)
    return Frames(
        framing,
        lambda x: whole(x, **options),
        lambda x: part(x.contiguous(), **{**options, "center": False}),
        OfTorch(),
    )


def _check_mirrored_once(n_fft: int, hop_length: int, options: Options, default: str) -> None:
    """ValueError where librosa's STFT mirrors the end of some signals more than once."""
    mirrors = options.get("center", True) and options.get("pad_mode", default) == "reflect"
    if mirrors and n_fft - hop_length <= n_fft // 2:
        raise ValueError(
            f"pad_mode='reflect' with hop_length={hop_length} cannot be streamed: librosa mirrors the end of some "
            "signals more than once where hops are longer than half a frame"
        )


def _of_librosa(name: str, options: Options) -> Frames:
    _without(options, "out", "S")
    n_fft, hop_length = _lengths(options, int(options.get("n_fft") or options.get("frame_length") or 2048))
    if name.startswith("librosa.feature"):
        hop_length = int(options.get("hop_length") or 512)
    _check_mirrored_once(n_fft, hop_length, options, "constant")
    pad = _pad_mode({"pad_mode": "edge"} if name.endswith("zero_crossing_rate") else options)
    framing = _framing(n_fft, hop_length, options.get("center", True), _NUMPY.get(pad, pad))
    whole, part = _offline(adapters[name].ours), _served(adapters[name].ours)
    return Frames(
        framing, lambda y: whole(y=y, **options), lambda y: part(y=y, **{**options, "center": False}), OfNumPy()
    )


_NUMPY = {"edge": "replicate", "wrap": "circular"}


def _pad_mode(options: Options) -> str:
    mode = options.get("pad_mode", "constant")
    if mode not in ("constant", "reflect", "edge", "wrap"):
        raise ValueError(f"pad_mode must be 'constant', 'reflect' or 'edge' in a stream, got {mode!r}")
    return str(mode)


def librosa_stft(options: Options) -> Frames:
    """``librosa.stft``."""
    return _of_librosa("librosa.stft", options)


def librosa_mel(options: Options) -> Frames:
    """``librosa.feature.melspectrogram``."""
    return librosa_feature("melspectrogram", options)


def librosa_feature(name: str, options: Options) -> Frames:
    """A function of ``librosa.feature`` that computes each frame alone."""
    if name == "chroma_stft" and options.get("tuning") is None:
        raise ValueError("tuning must be given: it is estimated from the whole signal otherwise")
    if name == "spectral_contrast" and not options.get("linear"):
        raise ValueError("linear must be True: decibels count from the maximum of the whole signal otherwise")
    return _of_librosa(f"librosa.feature.{name}", options)


def torchaudio_mel(module: Any) -> Frames:
    """A ``torchaudio.transforms.MelSpectrogram``, or a ``Spectrogram``."""
    ours = _as_ours(module)
    spectrogram = getattr(ours, "spectrogram", ours)
    if spectrogram.pad:
        raise ValueError(f"pad={spectrogram.pad} cannot be streamed: center=True pads a stream")
    plain = _as_ours(ours)
    getattr(plain, "spectrogram", plain).center = False
    framing = _framing(spectrogram.n_fft, spectrogram.hop_length, spectrogram.center, spectrogram.pad_mode)
    part = _served(plain)
    return Frames(framing, _offline(ours), lambda x: part(x.contiguous()), OfTorch())


def _as_ours(module: Any) -> Any:
    """A copy with our ``forward``, which shares the module's buffers."""
    twin = copy.copy(module)
    name = public_name(module)
    if name:
        twin.__class__ = adapters[name].ours
    twin._modules = {part: _as_ours(child) for part, child in module._modules.items()}
    return twin


def native_stft(transform: Any) -> Frames:
    """:meth:`.SpectralTransform.stft`."""
    plain = copy.copy(transform)
    plain.center = False
    return Frames(transform.framing, transform.stft, plain.stft, OfMLX())


def native_mel(mel: Any) -> Frames:
    """:meth:`.MelSpectrogramTransform.mel_spectrogram`."""
    if mel.output_scale == "db" and mel.top_db is not None:
        raise ValueError(f"top_db={mel.top_db} cannot be streamed: it counts from the maximum of the whole signal")
    plain = copy.copy(mel)
    plain.spectral = copy.copy(mel.spectral)
    plain.spectral.center = False

    def framing(length: int) -> Framing:
        return mel.spectral.framing(length).fitted(length, "constant")  # type: ignore[no-any-return]

    return Frames(framing, mel, plain, OfMLX())


def torch_istft(options: Options) -> Samples:
    """:func:`torch.istft`."""
    n_fft = _required(options, "n_fft")
    _without(options, "length")
    left = n_fft // 2 if options.get("center", True) else 0
    call = _served(adapters["torch.istft"].ours)
    hop_length = options.get("hop_length") or n_fft // 4
    return Samples(n_fft, hop_length, left, lambda z, length: call(z, length=length, **options), OfTorch())


def librosa_istft(options: Options) -> Samples:
    """``librosa.istft``."""
    n_fft, hop_length = _lengths(options, int(_required(options, "n_fft")))
    _without(options, "length", "out")
    left = n_fft // 2 if options.get("center", True) else 0
    call = _served(adapters["librosa.istft"].ours)
    return Samples(n_fft, hop_length, left, lambda z, length: call(z, length=length, **options), OfNumPy())


class _Spectra(OfMLX):
    """Spectra of MLX's, ``[F, N]`` a batch of one."""

    def chunk(self, x: Any) -> Any:
        z = super().chunk(x)
        return z[None] if z.ndim == 2 else z


def native_istft(transform: Any) -> Samples:
    """:meth:`.SpectralTransform.istft`."""
    left = transform.n_fft // 2 if transform.center else 0
    return Samples(transform.n_fft, transform.hop_length, left, transform.istft, _Spectra())
