"""FeatureExtractor: from recordings to features, by the functions of librosa, torchaudio or the native transforms."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..contract import settings
from . import blocks, recordings
from .functions import FEATURES, Array, Function, Options, check_value, resampled, resampled_in_blocks
from .recordings import LONGEST, Recording

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
        longest: Of a recording that lasts more seconds, a block of samples at a time is in memory, and frames are in
            a file. Features are the same, bit for bit, where our kernels serve it whole too; what needs all of a
            recording at once (its tuning, torchaudio's resampling) is refused.
        device: torch's name of the device on which features like torchaudio's are computed, ``"cuda"`` for one.
        on_error: In tables, ``"raise"``, or ``"record"`` the reason in a column ``error``, with None for features.
        options: Those of the functions. Each goes to the features that take it, or, as ``"mfcc.n_mfcc"``, to one.

    Raises:
        ValueError: an unknown feature or option, a text for one that is True or False, a rate below 1, a channel
            below 0.

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
        device: str = "cpu",
        on_error: str = "raise",
        **options: Any,
    ) -> None:
        self.features = names_of(features)
        self.like, self.rate, self.channel, self.longest = like, rate, channel, longest
        self.device, self.on_error, self.options = device, on_error, options
        if like not in FEATURES:
            raise ValueError(f"like must be one of {', '.join(FEATURES)}, got {like!r}")
        if on_error not in ("raise", "record"):
            raise ValueError(f"on_error must be 'raise' or 'record', got {on_error!r}")
        for name, value, least in (("rate", rate, 1), ("channel", channel, 0), ("longest", longest, 0)):
            if value is not None and not value >= least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        unknown = [name for name in self.features if name not in FEATURES[like]]
        if unknown or not self.features:
            known = ", ".join(FEATURES[like])
            raise ValueError(f"features like {like}'s are {known}; got {', '.join(unknown) or 'none'}")
        self._each_options()
        if device != "cpu" and like != "torchaudio":
            raise ValueError(f"device {device} is for features like torchaudio's, not like {like}'s")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def of(self, samples: Array, rate: int) -> dict[str, Array]:
        """Features ``[N, values]`` by name, of samples ``[T]`` in floating point and their rate in Hz.

        Raises:
            ValueError: samples of another kind.
        """
        samples = np.asarray(samples)
        if samples.dtype.kind != "f" or samples.ndim != 1:
            raise ValueError(
                f"samples are in floating point, from -1 to 1, on one axis, got {samples.dtype}{list(samples.shape)}"
            )
        # a recording has the same features on a new machine as on one where kernels are compiled
        with settings.compilation.here("blocking"):
            if self.rate is not None and self.rate != rate:
                samples, rate = resampled(self.like, samples, rate, self.rate), self.rate
            return {name: np.ascontiguousarray(function(samples, rate)) for name, function in self._functions.items()}

    def of_file(self, path: Any, folder: str | os.PathLike[str] | None = None) -> tuple[dict[str, Array], Recording]:
        """Features ``[N, values]`` by name, and what the file holds.

        Args:
            path: Of a file that soundfile reads.
            folder: Where files without names hold the frames of a long recording. Default: the system's for such.
        """
        with recordings.opened(path, self.channel) as file:
            if reason := recordings.too_long(file, self.longest):
                try:
                    features = self._in_blocks(file, folder)
                except ValueError as error:
                    raise ValueError(f"{reason}, and cannot be computed in blocks: {error}") from error
                return features, Recording(file.tell(), file.samplerate, file.channels)
            samples = recordings.whole(file, self.channel)
            return self.of(samples, file.samplerate), Recording(len(samples), file.samplerate, file.channels)

    def _in_blocks(self, file: Any, folder: str | os.PathLike[str] | None) -> dict[str, Array]:
        samples, rate = recordings.blocks(file, self.channel), file.samplerate
        if self.rate is not None and self.rate != rate:
            samples, rate = resampled_in_blocks(self.like, samples, rate, self.rate), self.rate
        parts = {
            name: FEATURES[self.like][name].in_blocks(options, self.device, rate)
            for name, options in zip(self.features, self._each_options(), strict=True)
        }
        return blocks.features_of(parts, samples, folder)

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
            return self.of(*item) if isinstance(item, tuple) else self.of_file(item)[0]
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
            return self._of(recording)
        try:
            return {**self._of(recording), "error": None}
        except Exception as error:  # noqa: BLE001 - whatever a library raises of a recording is its reason
            return {**dict.fromkeys(self.features), "error": reason_of(error)}

    def _of(self, recording: Any) -> dict[str, Array]:
        if isinstance(recording, str):
            return self.of_file(recording)[0]
        if isinstance(recording, Mapping) and recording.get("array") is None:
            return self.of_file(recording["path"])[0]
        samples = np.asarray(recording["array"])
        if samples.dtype == np.float64:
            samples = samples.astype(np.float32)
        if samples.ndim == 2:
            samples = samples.mean(axis=0) if self.channel is None else samples[self.channel]
        return self.of(samples, int(recording["sampling_rate"]))

    @functools.cached_property
    def _functions(self) -> dict[str, Function]:
        makers = [FEATURES[self.like][name] for name in self.features]
        made_of = zip(self.features, makers, self._each_options(), strict=True)
        return {name: maker.make(options, self.device) for name, maker, options in made_of}

    def _each_options(self) -> list[Options]:
        """The options of each feature."""
        makers = {name: FEATURES[self.like][name] for name in self.features}
        each: list[Options] = [{} for _ in makers]
        for option, value in self.options.items():
            feature, dot, last = option.rpartition(".")
            takers = []
            for (name, maker), options in zip(makers.items(), each, strict=True):
                taken = maker.takes()
                if (not dot or name == feature) and last in taken:
                    check_value(option, value, taken[last])
                    takers.append(options)
            if not takers:
                known = sorted(set().union(*(maker.takes() for maker in makers.values())))
                raise ValueError(f"no feature takes {option}; options are {', '.join(known)}")
            for options in takers:
                # what is said of one feature alone counts
                if dot or last not in options:
                    options[last] = value
        return each


def names_of(features: str | Iterable[str]) -> tuple[str, ...]:
    """Each name once, of names or of one string of them with commas between."""
    names = features.split(",") if isinstance(features, str) else features
    return tuple(dict.fromkeys(name.strip() for name in names))


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
