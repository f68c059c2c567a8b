"""Audio files, read and written by soundfile."""

import os
import warnings
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch
from torch import Tensor

_Place = BinaryIO | str | os.PathLike[str]

# of libsndfile, by what torchaudio calls an encoding, and by bits of a sample
_SUBTYPES = {
    ("PCM_S", 8): "PCM_S8",
    ("PCM_S", 16): "PCM_16",
    ("PCM_S", 24): "PCM_24",
    ("PCM_S", 32): "PCM_32",
    ("PCM_U", 8): "PCM_U8",
    ("PCM_F", 32): "FLOAT",
    ("PCM_F", 64): "DOUBLE",
    ("ULAW", 8): "ULAW",
    ("ALAW", 8): "ALAW",
}
_USUAL = {"PCM_S": 16, "PCM_U": 8, "PCM_F": 32, "ULAW": 8, "ALAW": 8}


@dataclass
class AudioMetaData:
    """What a file says of itself."""

    sample_rate: int
    num_frames: int
    num_channels: int
    bits_per_sample: int
    """0 where samples have no fixed size."""
    encoding: str
    """``"PCM_S"``, ``"PCM_U"``, ``"PCM_F"``, ``"ULAW"``, ``"ALAW"``, or what the format is called."""


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise ImportError(
            "audio files are read and written by soundfile where torchaudio is not installed, or does not load: "
            "pip install soundfile"
        ) from error
    return soundfile


def _given(**options: bool) -> None:
    for name, given in options.items():
        if given:
            warnings.warn(f"{name} has no effect: soundfile reads and writes the file", UserWarning, stacklevel=3)


def _opened(uri: _Place, *mode: Any, **options: Any) -> Any:
    soundfile = _soundfile()
    place = os.fspath(uri) if isinstance(uri, os.PathLike) else uri
    try:
        return soundfile.SoundFile(place, *mode, **options)
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        raise RuntimeError(f"{uri} cannot be opened: {error}") from error


def load(
    uri: _Place,
    frame_offset: int = 0,
    num_frames: int = -1,
    normalize: bool = True,
    channels_first: bool = True,
    format: str | None = None,
    buffer_size: int = 4096,
    backend: str | None = None,
) -> tuple[Tensor, int]:
    """Samples ``[channels, T]`` of a file, float32 in [-1, 1], and their rate.

    Args:
        uri: A path, or an open binary file.
        frame_offset: Samples to leave out.
        num_frames: The most samples to read; -1 for all.
        channels_first: Otherwise the result is ``[T, channels]``.
        normalize, format, buffer_size, backend: Of no effect; anything but the default is warned of.

    Raises:
        ImportError: soundfile is not installed.
        RuntimeError: the file cannot be read.
    """
    _given(normalize=not normalize, format=format is not None, buffer_size=buffer_size != 4096)
    _given(backend=backend is not None)
    with _opened(uri) as file:
        begin = min(max(frame_offset, 0), file.frames)
        file.seek(begin)
        samples = file.read(num_frames if num_frames >= 0 else -1, dtype="float32", always_2d=True)
        rate = int(file.samplerate)
    x = torch.from_numpy(samples)
    return x.t().contiguous() if channels_first else x, rate


def save(
    uri: _Place,
    src: Tensor,
    sample_rate: int,
    channels_first: bool = True,
    format: str | None = None,
    encoding: str | None = None,
    bits_per_sample: int | None = None,
    buffer_size: int = 4096,
    backend: str | None = None,
    compression: float | int | None = None,
) -> None:
    """Write samples ``[channels, T]`` or ``[T]`` in [-1, 1] to a file.

    Args:
        uri: A path, whose ending says the format, or an open binary file.
        sample_rate: Samples a second.
        channels_first: Otherwise ``src`` is ``[T, channels]``.
        format: ``"wav"``, ``"flac"``, ``"ogg"``, ``"mp3"`` or another of libsndfile's.
        encoding, bits_per_sample: ``"PCM_S"``, ``"PCM_U"``, ``"PCM_F"``, ``"ULAW"`` or ``"ALAW"``, and the size of a
            sample. Default: the format's own.
        buffer_size, backend, compression: Of no effect; anything but the default is warned of.

    Raises:
        ImportError: soundfile is not installed.
        ValueError: samples that are no tensor of one or two dimensions, a rate that is not above 0, or an encoding that
            there is none of.
        RuntimeError: the file cannot be written.
    """
    _given(buffer_size=buffer_size != 4096, backend=backend is not None, compression=compression is not None)
    if not isinstance(src, Tensor):
        raise ValueError(f"src must be a tensor, got {type(src)}")
    if sample_rate <= 0:
        raise ValueError(f"sample_rate must be above 0, got {sample_rate}")
    if src.ndim not in (1, 2):
        raise ValueError(f"src must be [channels, T] or [T], got {src.ndim} dimensions")
    samples = src.t() if src.ndim == 2 and channels_first else src
    written = samples.detach().to("cpu", torch.float32).contiguous().numpy()
    channels = 1 if src.ndim == 1 else written.shape[1]
    options = {"format": format.upper() if format else None, "subtype": _subtype(encoding, bits_per_sample)}
    with _opened(uri, "w", sample_rate, channels, **options) as file:
        file.write(written)


def _subtype(encoding: str | None, bits: int | None) -> str | None:
    if encoding is None and bits is None:
        return None
    kind = encoding or ("PCM_U" if bits == 8 else "PCM_S")
    size = bits or _USUAL.get(kind, 0)
    if (kind, size) not in _SUBTYPES:
        raise ValueError(f"there is no encoding {kind!r} of {size} bits")
    return _SUBTYPES[kind, size]


def info(uri: _Place, format: str | None = None, buffer_size: int = 4096, backend: str | None = None) -> AudioMetaData:
    """What a file says of itself.

    Raises:
        ImportError: soundfile is not installed.
        RuntimeError: the file cannot be read.
    """
    _given(format=format is not None, buffer_size=buffer_size != 4096, backend=backend is not None)
    kinds = {subtype: kind for kind, subtype in _SUBTYPES.items()}
    with _opened(uri) as file:
        encoding, bits = kinds.get(file.subtype, (file.format, 0))
        return AudioMetaData(file.samplerate, file.frames, file.channels, bits, encoding)
