"""FeatureExtractor: from recordings to features, by the functions of librosa, torchaudio or the native transforms."""

from __future__ import annotations

import functools
import importlib
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .recordings import LONGEST, read

Array = npt.NDArray[Any]
Options = dict[str, Any]
# a feature [N, values] of samples [T] and their rate
Function = Callable[[Array, int], Array]

# samples of noise whose features tell how many values a frame has
_PROBE = 1 << 16


class FeatureExtractor:
    """Features of recordings.

    Called with a recording it returns its features; with a row of a table, or a batch of rows, the same with a column
    for each feature. So it is what ``ray.data.Dataset.map_batches``, ``datasets.Dataset.map`` and a
    ``torch.utils.data.Dataset`` call, in forked and spawned workers too. It holds its parameters alone.

    Args:
        features: Names, see :data:`FEATURES`, or one string of them with commas between.
        like: Whose functions and options: ``"librosa"``, ``"torchaudio"``, or ``"native"`` for those of this package.
        rate: Resample to so many Hz, by that library's own resampling. Default: as recorded.
        channel: Which channel is taken. Default: the mean of all.
        longest: Refuse what is longer, in seconds: a recording is in memory as a whole.
        on_error: In tables, ``"raise"``, or ``"record"`` the reason in a column ``error``, with None for features.
        options: Those of the functions. Each goes to the features that take it, or, as ``"mfcc.n_mfcc"``, to one.

    Raises:
        ValueError: an unknown feature or option.

    Example:
        >>> import numpy as np
        >>> from mlx_spectro import FeatureExtractor
        >>> extractor = FeatureExtractor("mel,mfcc", n_mels=40, n_fft=512)
        >>> {name: values.shape for name, values in extractor.of(np.zeros(16000, np.float32), 16000).items()}
        {'mel': (32, 40), 'mfcc': (32, 20)}
    """

    def __init__(
        self,
        features: str | Iterable[str],
        like: str = "librosa",
        *,
        rate: int | None = None,
        channel: int | None = None,
        longest: float = LONGEST,
        on_error: str = "raise",
        **options: Any,
    ) -> None:
        names = features.split(",") if isinstance(features, str) else features
        self.features = tuple(name.strip() for name in names)
        self.like, self.rate, self.channel, self.longest = like, rate, channel, longest
        self.on_error, self.options = on_error, options
        if like not in FEATURES:
            raise ValueError(f"like must be one of {', '.join(FEATURES)}, got {like!r}")
        if on_error not in ("raise", "record"):
            raise ValueError(f"on_error must be 'raise' or 'record', got {on_error!r}")
        unknown = [name for name in self.features if name not in FEATURES[like]]
        if unknown or not self.features:
            known = ", ".join(FEATURES[like])
            raise ValueError(f"features like {like}'s are {known}; got {', '.join(unknown) or 'none'}")
        self._each_options()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def of(self, samples: Array, rate: int) -> dict[str, Array]:
        """Features ``[N, values]`` by name, of samples ``[T]`` in floating point and their rate in Hz."""
        if self.rate not in (None, rate):
            samples, rate = _resampled(self.like, samples, rate, self.rate), int(self.rate or rate)
        return {name: np.ascontiguousarray(function(samples, rate)) for name, function in self._functions.items()}

    def read(self, path: Any) -> tuple[Array, int]:
        """Samples ``[T]`` of a file and their rate in Hz."""
        samples, rate, _ = read(path, self.channel, self.longest)
        return samples, rate

    def values(self) -> dict[str, tuple[int, np.dtype[Any]]]:
        """How many values a frame of each feature has, and their dtype."""
        noise = np.random.default_rng(0).standard_normal(_PROBE, np.float32)
        with warnings.catch_warnings():
            # a recording's own warnings are told with it
            warnings.simplefilter("ignore")
            probe = self.of(noise, self.rate or 16000)
        return {name: (feature.shape[1], feature.dtype) for name, feature in probe.items()}

    def __call__(self, item: Any) -> Any:
        """Features of a path, or of a pair of samples and rate; of a row or a batch of rows, these with the features.

        A row has ``path``, or ``audio`` as Hugging Face's data sets have it: with ``array`` and ``sampling_rate``, or
        ``path``.
        """
        if not isinstance(item, Mapping):
            return self.of(*(item if isinstance(item, tuple) else self.read(item)))
        column = next((name for name in ("audio", "path") if name in item), None)
        if column is None:
            raise ValueError(f"a row needs a column path or audio, got {', '.join(map(str, item))}")
        recordings = item[column]
        if isinstance(recordings, (Sequence, np.ndarray)) and not isinstance(recordings, str):
            results = [self._of_row(recording) for recording in recordings]
            columns = {name: [result[name] for result in results] for name in self._columns}
            # Ray's batches are of NumPy arrays, those of Hugging Face of lists
            as_given = _column if isinstance(recordings, np.ndarray) else list
            return {**item, **{name: as_given(values) for name, values in columns.items()}}
        return {**item, **self._of_row(recordings)}

    @property
    def _columns(self) -> tuple[str, ...]:
        return (*self.features, "error") if self.on_error == "record" else self.features

    def _of_row(self, recording: Any) -> dict[str, Any]:
        if self.on_error == "raise":
            return self.of(*self._samples(recording))
        try:
            return {**self.of(*self._samples(recording)), "error": None}
        except Exception as error:  # noqa: BLE001 - whatever a library raises of a recording is its reason
            return {**dict.fromkeys(self.features), "error": reason_of(error)}

    def _samples(self, recording: Any) -> tuple[Array, int]:
        if isinstance(recording, str):
            return self.read(recording)
        if isinstance(recording, Mapping) and recording.get("array") is None:
            return self.read(recording["path"])
        samples = np.asarray(recording["array"], np.float32)
        if samples.ndim == 2:
            samples = samples.mean(axis=0) if self.channel is None else samples[self.channel]
        return samples, int(recording["sampling_rate"])

    @functools.cached_property
    def _functions(self) -> dict[str, Function]:
        makers = [FEATURES[self.like][name] for name in self.features]
        made_of = zip(self.features, makers, self._each_options(), strict=True)
        return {name: maker.make(options) for name, maker, options in made_of}

    def _each_options(self) -> list[Options]:
        """The options of each feature."""
        makers = {name: FEATURES[self.like][name] for name in self.features}
        each: list[Options] = [{} for _ in makers]
        for option, value in self.options.items():
            feature, dot, last = option.rpartition(".")
            takers = [
                options
                for (name, maker), options in zip(makers.items(), each, strict=True)
                if (not dot or name == feature) and last in maker.takes()
            ]
            if not takers:
                known = sorted(set().union(*(maker.takes() for maker in makers.values())))
                raise ValueError(f"no feature takes {option}; options are {', '.join(known)}")
            for options in takers:
                # what is said of one feature alone counts
                if dot or last not in options:
                    options[last] = value
        return each


def reason_of(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _column(values: list[Any]) -> Any:
    """Arrays of different lengths in one."""
    column = np.empty(len(values), object)
    for i, value in enumerate(values):
        column[i] = value
    return column


def _resampled(like: str, samples: Array, rate: int, to: int | None) -> Array:
    if like == "librosa":
        result: Array = _of("librosa").resample(samples, orig_sr=rate, target_sr=to)
        return result
    if like == "torchaudio":
        result = _of("torchaudio").functional.resample(_of("torch").from_numpy(samples), rate, to).numpy()
        return result
    raise ValueError(f"native features do not resample: {rate} Hz cannot become {to}")


def _of(library: str) -> Any:
    return importlib.import_module(f"mlx_spectro.compat.{library}")


def _names(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self", "y", "S", "sr", "args", "kwargs", "sample_rate"}


class _Librosa:
    """A function of ``librosa.feature``; ``further`` takes its ``**kwargs``."""

    def __init__(self, function: str, *further: str, decibels: bool = False) -> None:
        self._path, self._further, self._decibels = f"feature.{function}", further, decibels

    def takes(self) -> set[str]:
        return set().union(*(_names(_attribute("librosa", path)) for path in (self._path, *self._further)))

    def make(self, options: Options) -> Function:
        library, function = _of("librosa"), _attribute("librosa", self._path)
        with_rate = "sr" in inspect.signature(function).parameters

        def feature(y: Array, rate: int) -> Array:
            values = function(y=y, **({"sr": rate} if with_rate else {}), **options)
            result: Array = (library.power_to_db(values) if self._decibels else values).T
            return result

        return feature


class _Torchaudio:
    """A class of ``torchaudio.transforms``; what ``inner`` takes goes to it as ``argument``."""

    def __init__(self, name: str, inner: str = "", argument: str = "", *, rate: bool = True, decibels: bool = False):
        self._name, self._inner, self._argument = f"transforms.{name}", f"transforms.{inner}", argument
        self._rate, self._decibels = rate, decibels

    def takes(self) -> set[str]:
        inner = _names(_attribute("torchaudio", self._inner)) if self._argument else set()
        return (_names(_attribute("torchaudio", self._name)) | inner) - {self._argument}

    def make(self, options: Options) -> Function:
        torch, kind = _of("torch"), _attribute("torchaudio", self._name)
        own = {name: value for name, value in options.items() if name in _names(kind)}
        if self._argument:
            own[self._argument] = {name: value for name, value in options.items() if name not in own}

        @functools.lru_cache(maxsize=8)
        def transform(rate: int) -> Any:
            return kind(rate, **own) if self._rate else kind(**own)

        def feature(y: Array, rate: int) -> Array:
            with torch.no_grad():
                values = transform(rate)(torch.from_numpy(y))
                values = _of("torchaudio").transforms.AmplitudeToDB()(values) if self._decibels else values
            result: Array = values.numpy().T
            return result

        return feature


class _Native:
    """A transform of this package."""

    def __init__(self, name: str) -> None:
        self._name = name

    def takes(self) -> set[str]:
        return self._parameters(_attribute("", self._name)) - {"self", "sample_rate"}

    def _parameters(self, kind: Any) -> set[str]:
        bases = [base for base in kind.__mro__ if "__init__" in vars(base) and base is not object]
        return set().union(*(_names(base.__init__) for base in bases))

    def make(self, options: Options) -> Function:
        import mlx.core as mx

        kind = _attribute("", self._name)

        @functools.lru_cache(maxsize=8)
        def transform(rate: int) -> Any:
            return kind(sample_rate=rate, **options)

        def feature(y: Array, rate: int) -> Array:
            return np.array(transform(rate)(mx.array(y)[None])[0]).T

        return feature


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
