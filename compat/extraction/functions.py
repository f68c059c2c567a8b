"""The features that there are: functions of librosa, and transforms of torchaudio and of this package."""

from __future__ import annotations

import functools
import importlib
import inspect
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .blocks import InBlocks

Array = npt.NDArray[Any]
Options = dict[str, Any]
# a feature [N, values] of samples [T] and their rate
Function = Callable[[Array, int], Array]


def resampled(like: str, samples: Array, rate: int, to: int) -> Array:
    """Samples at ``to`` Hz, by the resampling of the library."""
    if like == "librosa":
        result: Array = _of("librosa").resample(samples, orig_sr=rate, target_sr=to)
        return result
    if like == "torchaudio":
        result = _of("torchaudio").functional.resample(_of("torch").from_numpy(samples), rate, to).numpy()
        return result
    raise ValueError(f"native features do not resample: {rate} Hz cannot become {to}")


def resampled_in_blocks(like: str, blocks: Iterable[Array], rate: int, to: int) -> Iterator[Array]:
    """Samples that come in blocks, at ``to`` Hz: all together, the bits of :func:`resampled`.

    Raises:
        ValueError: a library whose resampling takes whole recordings.
    """
    if like != "librosa":
        raise ValueError(f"like {like}'s, it is resampled as a whole")
    import soxr

    # what librosa's own resampling is by default
    stream = soxr.ResampleStream(rate, to, 1, "float32", "soxr_hq")
    taken = given = 0
    for block in blocks:
        part = stream.resample_chunk(block)
        taken, given = taken + len(block), given + len(part)
        yield part
    size = math.ceil(taken * (to / rate)) - given
    yield _of("librosa").util.fix_length(stream.resample_chunk(np.empty(0, np.float32), last=True), size=size)


def check_device(device: str) -> None:
    """ValueError where torch has no such device here."""
    try:
        _of("torch").zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"torch has no device {device} here: {str(error).splitlines()[0]}") from None


def _of(library: str) -> Any:
    return importlib.import_module(f"mlx_spectro.compat.{library}")


def _doors() -> Any:
    return importlib.import_module("mlx_spectro.compat.streaming.doors")


_NO_OPTIONS = {"self", "y", "S", "sr", "args", "kwargs", "sample_rate"}


def _defaults(*functions: Any) -> dict[str, Any]:
    """The options of some functions, and what each is by default."""
    parameters = [parameter for function in functions for parameter in inspect.signature(function).parameters.values()]
    return {one.name: one.default for one in reversed(parameters) if one.name not in _NO_OPTIONS}


def check_value(name: str, value: Any, default: Any) -> None:
    """ValueError for a text, which counts as true whatever it says, where an option is True or False."""
    if isinstance(value, str) and isinstance(default, bool) and name.rpartition(".")[2] not in _MAY_BE_TEXTS:
        raise ValueError(f"{name} is True or False, got {value!r}")


# of torchaudio's
_MAY_BE_TEXTS = {"normalized"}


def _names(function: Any) -> set[str]:
    return set(_defaults(function))


class _Librosa:
    """A function of ``librosa.feature``; ``further`` takes its ``**kwargs``."""

    def __init__(self, function: str, *further: str, decibels: bool = False) -> None:
        self._function, self._further, self._decibels = function, further, decibels
        self._path = f"feature.{function}"

    def takes(self) -> dict[str, Any]:
        return _defaults(*(_attribute("librosa", path) for path in (self._path, *self._further)))

    def make(self, options: Options, device: str) -> Function:
        library, function = _of("librosa"), _attribute("librosa", self._path)

        def feature(y: Array, rate: int) -> Array:
            values = function(y=y, **self._rate(rate), **options)
            result: Array = (library.power_to_db(values) if self._decibels else values).T
            return result

        return feature

    def in_blocks(self, options: Options, device: str, rate: int) -> InBlocks:
        function, finish = self._function, self._finish(options)
        if function == "mfcc":
            own = _names(_attribute("librosa", self._path))
            norm = {"norm": options["mel_norm"]} if "mel_norm" in options else {}
            function, options = "melspectrogram", {**{n: v for n, v in options.items() if n not in own}, **norm}
        frames = _doors().librosa_feature(function, {**self._rate(rate), **options})
        return InBlocks(frames, _same, np.transpose, finish)

    def _finish(self, options: Options) -> Callable[[Array], Array] | None:
        library = _of("librosa")
        if self._function == "mfcc":
            own = {name: value for name, value in options.items() if name in _names(_attribute("librosa", self._path))}
            return lambda power: np.transpose(library.feature.mfcc(S=library.power_to_db(power.T), **own))
        return (lambda power: np.transpose(library.power_to_db(power.T))) if self._decibels else None

    def _rate(self, rate: int) -> Options:
        return {"sr": rate} if "sr" in inspect.signature(_attribute("librosa", self._path)).parameters else {}


def _same(samples: Array) -> Array:
    return samples


class _Torchaudio:
    """A class of ``torchaudio.transforms``; what ``inner`` takes goes to it as ``argument``."""

    def __init__(self, name: str, inner: str = "", argument: str = "", *, rate: bool = True, decibels: bool = False):
        self._name, self._inner, self._argument = f"transforms.{name}", f"transforms.{inner}", argument
        self._rate, self._decibels = rate, decibels

    def takes(self) -> dict[str, Any]:
        kinds = (self._name, self._inner) if self._argument else (self._name,)
        taken = _defaults(*(_attribute("torchaudio", kind) for kind in kinds))
        return {name: default for name, default in taken.items() if name != self._argument}

    def make(self, options: Options, device: str) -> Function:
        torch = _of("torch")
        transform = functools.lru_cache(maxsize=8)(functools.partial(self._transform, options, device))

        def feature(y: Array, rate: int) -> Array:
            with torch.no_grad():
                values = transform(rate)(torch.from_numpy(y).to(device))
                values = _of("torchaudio").transforms.AmplitudeToDB()(values) if self._decibels else values
            result: Array = values.cpu().numpy().T
            return result

        return feature

    def in_blocks(self, options: Options, device: str, rate: int) -> InBlocks:
        torch, transforms, module = _of("torch"), _of("torchaudio").transforms, self._transform(options, device, rate)
        finish: Any = transforms.AmplitudeToDB() if self._decibels else None
        if self._argument:
            mel, finish = module.MelSpectrogram, module
            finish.MelSpectrogram = torch.nn.Identity()
            module = mel

        def finished(power: Array) -> Array:
            with torch.no_grad():
                return np.transpose(finish(torch.from_numpy(power.T).to(device)).cpu().numpy())

        return InBlocks(
            _doors().torchaudio_mel(module),
            lambda samples: torch.from_numpy(samples).to(device),
            lambda frames: np.transpose(frames.detach().cpu().numpy()),
            finished if finish is not None else None,
        )

    def _transform(self, options: Options, device: str, rate: int) -> Any:
        kind = _attribute("torchaudio", self._name)
        own = {name: value for name, value in options.items() if name in _names(kind)}
        if self._argument:
            own[self._argument] = {name: value for name, value in options.items() if name not in own}
        return (kind(rate, **own) if self._rate else kind(**own)).to(device)


class _Native:
    """A transform of this package."""

    def __init__(self, name: str) -> None:
        self._name = name

    def takes(self) -> dict[str, Any]:
        bases = _attribute("", self._name).__mro__
        return _defaults(*(base.__init__ for base in bases if "__init__" in vars(base) and base is not object))

    def make(self, options: Options, device: str) -> Function:
        import mlx.core as mx

        kind = _attribute("", self._name)

        @functools.lru_cache(maxsize=8)
        def transform(rate: int) -> Any:
            return kind(sample_rate=rate, **options)

        def feature(y: Array, rate: int) -> Array:
            return np.array(transform(rate)(mx.array(y)[None])[0]).T

        return feature

    def in_blocks(self, options: Options, device: str, rate: int) -> InBlocks:
        import mlx.core as mx

        kind = _attribute("", self._name)
        if not hasattr(kind, "mel_spectrogram"):
            raise ValueError(f"{self._name} takes its decibels from the maximum of the whole recording")
        frames = _doors().native_mel(kind(sample_rate=rate, **options))
        return InBlocks(frames, lambda samples: mx.array(samples)[None], lambda frames: np.array(frames[0]).T)


def _attribute(library: str, path: str) -> Any:
    value = _of(library) if library else importlib.import_module("mlx_spectro")
    for part in path.split("."):
        value = getattr(value, part)
    return value


_MEL = "feature.melspectrogram", "filters.mel"
# by the library whose functions and options they are
FEATURES: dict[str, dict[str, Any]] = {
    "librosa": {
        "mel": _Librosa("melspectrogram", "filters.mel"),
        "logmel": _Librosa("melspectrogram", "filters.mel", decibels=True),
        "mfcc": _Librosa("mfcc", *_MEL),
        "chroma": _Librosa("chroma_stft", "filters.chroma"),
        "rms": _Librosa("rms"),
        "zero_crossing_rate": _Librosa("zero_crossing_rate"),
        "spectral_centroid": _Librosa("spectral_centroid"),
        "spectral_bandwidth": _Librosa("spectral_bandwidth"),
        "spectral_rolloff": _Librosa("spectral_rolloff"),
        "spectral_flatness": _Librosa("spectral_flatness"),
        "spectral_contrast": _Librosa("spectral_contrast"),
    },
    "torchaudio": {
        "mel": _Torchaudio("MelSpectrogram"),
        "logmel": _Torchaudio("MelSpectrogram", decibels=True),
        "mfcc": _Torchaudio("MFCC", "MelSpectrogram", "melkwargs"),
        "spectrogram": _Torchaudio("Spectrogram", rate=False),
    },
    "native": {
        "mel": _Native("MelSpectrogramTransform"),
        "logmel": _Native("LogMelSpectrogramTransform"),
        "mfcc": _Native("MFCCTransform"),
    },
}
