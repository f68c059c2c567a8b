"""Several descriptors from one STFT."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Literal

import mlx.core as mx

from .. import _check
from ..design import banks
from ..design.descriptors import DescriptorSpec
from ..design.epilogues import Decibels
from ..design.operators import Operator, Project, ProjectClipped, ProjectPower
from ..ops.apply import apply
from ..ops.epilogues import follow
from ..types import MelNorm, MelScale
from . import descriptors, mfcc
from ._replay import recorded
from ._shared import Compilable, like_input, shared_transform, spectrogram
from .chroma import chroma_filters, normalized
from .mel import DB_AMIN, melscale_fbanks

FEATURES = (
    "chroma_stft",
    "spectral_centroid",
    "spectral_bandwidth",
    "spectral_rolloff",
    "spectral_contrast",
    "mfcc",
)


class SpectralFeatureTransform(Compilable):
    """Chroma, centroid, bandwidth, rolloff, contrast and MFCC, or some of them, from one STFT.

    Args:
        include: Names among ``"chroma_stft"``, ``"spectral_centroid"``, ``"spectral_bandwidth"``,
            ``"spectral_rolloff"``, ``"spectral_contrast"`` and ``"mfcc"``. Default: all, in this order.
        sample_rate: Hz.
        n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad: As in
            :class:`SpectralTransform`.
        n_chroma, chroma_norm, tuning: As in :func:`chroma_stft`.
        bandwidth_p: ``p`` of :func:`spectral_bandwidth`.
        roll_percent: As in :func:`spectral_rolloff`.
        n_bands, contrast_fmin, contrast_quantile: As in :func:`spectral_contrast`.
        n_mfcc, n_mels, f_min, f_max, mel_norm, mel_scale, top_db, lifter, dct_norm: As in :class:`MFCCTransform`.

    Raises:
        ValueError: an unknown feature, a value out of its range, or an unknown option.
    """

    def __init__(
        self,
        *,
        include: tuple[str, ...] | list[str] | None = None,
        sample_rate: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        win_length: int | None = None,
        window_fn: str = "hann",
        center: bool = True,
        center_pad_mode: str = "reflect",
        center_tail_pad: str = "symmetric",
        n_chroma: int = 12,
        chroma_norm: float | None = 2,
        tuning: float = 0.0,
        bandwidth_p: float = 2.0,
        roll_percent: float = 0.85,
        n_bands: int = 6,
        contrast_fmin: float = 200.0,
        contrast_quantile: float = 0.02,
        n_mfcc: int = 20,
        n_mels: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
        mel_norm: MelNorm = "slaney",
        mel_scale: MelScale = "slaney",
        top_db: float | None = 80.0,
        lifter: int = 0,
        dct_norm: Literal["ortho"] | None = "ortho",
    ) -> None:
        if not (include is None or isinstance(include, (tuple, list))):
            raise TypeError(f"include must be a tuple or a list of names, got {_check.shown(include)}")
        self.include = FEATURES if include is None else tuple(include)
        for name in self.include:
            if name not in FEATURES:
                raise ValueError(
                    f"Unknown spectral feature {name!r} in include: one of {', '.join(map(repr, FEATURES))}"
                )
        if not self.include:
            raise ValueError("include must name at least one feature, got none")
        self.spectral = shared_transform(
            n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad
        )
        bandwidth_p = _check.number("bandwidth_p", bandwidth_p, above=0)
        roll_percent = _check.number("roll_percent", roll_percent, above=0, below=1)
        top_db = _check.number_or_none("top_db", top_db, at_least=0)
        _check.number("contrast_fmin", contrast_fmin, above=0)
        _check.number("contrast_quantile", contrast_quantile, above=0, below=1)
        _check.one_of("mel_norm", mel_norm, (None, "slaney"))
        chroma_norm = _check.number_or_none("chroma_norm", chroma_norm, above=0)
        if "chroma_stft" in self.include:
            self.chroma_fb = chroma_filters(sample_rate, n_fft, n_chroma, tuning)
        bands: Sequence[banks.Band] = ()
        if "spectral_contrast" in self.include:
            bands = banks.contrast_bands(sample_rate, n_fft, n_bands, contrast_fmin, contrast_quantile)
        names = (name.removeprefix("spectral_") for name in self.include if name.startswith("spectral_"))
        self._hz = descriptors.bin_frequencies(sample_rate, n_fft)
        self._spec = DescriptorSpec(tuple(names), order=bandwidth_p, share=roll_percent, bands=tuple(bands))
        if "mfcc" in self.include:
            f_max = sample_rate / 2 if f_max is None else f_max
            self.mel_fb = melscale_fbanks(
                n_fft // 2 + 1, f_min, f_max, n_mels, sample_rate, norm=mel_norm, mel_scale=mel_scale
            )
            self.dct_mat = mfcc.liftered_basis(n_mfcc, n_mels, dct_norm, lifter)
        self._chroma_norm = chroma_norm
        self._clipped: Operator = Project() if top_db is None else ProjectClipped(top_db)
        self._keep(locals())

    def _chroma(self, s: mx.array) -> mx.array:
        return normalized(apply(ProjectPower(), s, self.chroma_fb), self._chroma_norm)

    def _mfcc(self, s: mx.array) -> mx.array:
        decibels = follow(Decibels(10.0, DB_AMIN), apply(ProjectPower(), s, self.mel_fb))
        return apply(self._clipped, decibels, self.dct_mat)

    @recorded()
    def extract(self, x: mx.array) -> OrderedDict[str, mx.array]:
        """Features by name, in the order of ``include``: each ``[..., rows, N]`` of audio ``[..., T]``."""
        s = spectrogram(self.spectral, x)
        values = descriptors.of_magnitudes(s, self._hz, self._spec) if self._spec.names else {}
        features = {f"spectral_{name}": rows for name, rows in values.items()}
        for name, filtered in (("chroma_stft", self._chroma), ("mfcc", self._mfcc)):
            if name in self.include:
                features[name] = mx.swapaxes(filtered(s), -1, -2)
        return OrderedDict((name, like_input(x, features[name])) for name in self.include)

    def __call__(self, x: mx.array) -> OrderedDict[str, mx.array]:
        """:meth:`extract`."""
        return self.extract(x)

    def get_compiled(self) -> Callable[[mx.array], Any]:
        """:meth:`extract` for fixed shapes with the least overhead."""
        return self.compiled_once("extract", self.extract)


@recorded()
def spectral_features(
    x: mx.array,
    *,
    include: tuple[str, ...] | list[str] | None = None,
    sample_rate: int = 22050,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window_fn: str = "hann",
    center: bool = True,
    center_pad_mode: str = "reflect",
    center_tail_pad: str = "symmetric",
    n_chroma: int = 12,
    chroma_norm: float | None = 2,
    tuning: float = 0.0,
    bandwidth_p: float = 2.0,
    roll_percent: float = 0.85,
    n_bands: int = 6,
    contrast_fmin: float = 200.0,
    contrast_quantile: float = 0.02,
    n_mfcc: int = 20,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float | None = None,
    mel_norm: MelNorm = "slaney",
    mel_scale: MelScale = "slaney",
    top_db: float | None = 80.0,
    lifter: int = 0,
    dct_norm: Literal["ortho"] | None = "ortho",
) -> dict[str, mx.array]:
    """Several descriptors of audio ``[..., T]`` from one STFT; see :class:`SpectralFeatureTransform`.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> audio = mx.zeros((2, 16000))  # one second of two signals
        >>> features = mlx_spectro.spectral_features(audio, sample_rate=16000, include=("mfcc", "spectral_centroid"))
        >>> {name: value.shape for name, value in features.items()}
        {'mfcc': (2, 20, 32), 'spectral_centroid': (2, 1, 32)}
    """
    parameters = {name: value for name, value in locals().items() if name != "x"}
    return SpectralFeatureTransform(**parameters).extract(x)
