"""Operators as values: what is computed, in which shape, and what its transpose is. No array library is needed here.

An operator is what travels from an adapter to a kernel, and the key of what is kept for it. It takes an array and its
weights (a window, a filterbank), which are no part of it. :mod:`mlx_spectro.ops` defines it in MLX's own operations;
``kernels.cpu`` and ``kernels.gpu`` compute it, in files of its :attr:`~Operator.stem`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from .descriptors import DescriptorSpec
from .envelope import FLOOR
from .epilogues import Epilogue
from .framing import Framing, overlap_length
from .kaldi import Extraction, Place

Shape = tuple[int, ...]
Statistic = Literal["norm", "crossings"]


@dataclass(frozen=True)
class Operator:
    """Parameters of a function of an array and its weights."""

    stem: ClassVar[str]
    """The name of its files."""
    is_complex: ClassVar[bool] = False
    """Its result is complex, and of a linear one so is the argument of its transpose."""

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        """Shape of the result, of those of the arguments."""
        raise NotImplementedError

    def check(self, x: Shape) -> None:
        """Raise ValueError where it cannot take an argument of that shape."""

    name: ClassVar[str]
    """Its name in statistics."""

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


@dataclass(frozen=True)
class Linear(Operator):
    """An operator that is its own derivative, and whose gradient is its transpose."""

    def transpose(self, x: Shape) -> Linear:
        """The transpose, for arguments of shape ``x``; its weights are the same.

        The gradient of a complex number is that by its real part plus ``i`` times that by its imaginary part.
        """
        raise NotImplementedError


class OfAudio:
    """An operator that takes frames of audio ``[..., T]``."""

    framing: Framing

    def check(self, x: Shape) -> None:
        self.framing.check(x[-1])


def bins_of(n_fft: int, onesided: bool) -> int:
    """Bins of a spectrum."""
    return n_fft // 2 + 1 if onesided else n_fft


@dataclass(frozen=True)
class Stft(OfAudio, Linear):
    """Spectrum ``[..., N, F]`` of audio ``[..., T]``, with a window ``[n_fft]``."""

    stem = "stft"
    is_complex = True

    framing: Framing
    scale: float = 1.0
    onesided: bool = True

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], self.framing.frames(x[-1]), bins_of(self.framing.n_fft, self.onesided)

    def transpose(self, x: Shape) -> StftAdjoint:
        return StftAdjoint(self.framing, x[-1], self.scale, self.onesided)


@dataclass(frozen=True)
class StftAdjoint(Linear):
    """Audio's gradient ``[..., length]``, of that of its spectrum, ``[..., N, F]``."""

    stem = "stft"

    framing: Framing
    length: int
    scale: float = 1.0
    onesided: bool = True

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-2], self.length

    def transpose(self, x: Shape) -> Stft:
        return Stft(self.framing, self.scale, self.onesided)


@dataclass(frozen=True)
class Istft(Linear):
    """Audio ``[..., length]`` of a spectrum ``[..., N, F]``: windowed overlap-add over the squared windows' sum.

    ``framing.left`` samples are cut off the start; the result is 0 where the sum is below ``floor``, and beyond the
    last frame. Imaginary parts of bins 0 and ``n_fft / 2`` don't matter, nor do the bins above in a two-sided spectrum.
    """

    stem = "istft"

    framing: Framing
    length: int
    scale: float = 1.0
    onesided: bool = True
    floor: float = FLOOR

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-2], self.length

    def transpose(self, x: Shape) -> IstftAdjoint:
        return IstftAdjoint(self.framing, x[-2], self.scale, self.onesided, self.floor)


@dataclass(frozen=True)
class IstftAdjoint(Linear):
    """A spectrum's gradient ``[..., frames, F]``, of that of its audio, ``[..., length]``."""

    stem = "istft"
    is_complex = True

    framing: Framing
    frames: int
    scale: float = 1.0
    onesided: bool = True
    floor: float = FLOOR

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], self.frames, bins_of(self.framing.n_fft, self.onesided)

    def transpose(self, x: Shape) -> Istft:
        return Istft(self.framing, x[-1], self.scale, self.onesided, self.floor)


@dataclass(frozen=True)
class Spectrogram(OfAudio, Operator):
    """Magnitudes ``[..., N, F]`` of the spectrum of audio ``[..., T]``, to a power; with a window ``[n_fft]``."""

    stem = "filterbank"

    framing: Framing
    power: float = 1.0
    scale: float = 1.0
    onesided: bool = True

    @property
    def stft(self) -> Stft:
        """What the magnitudes are taken of."""
        return Stft(self.framing, self.scale, self.onesided)

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return self.stft.shape(x)


@dataclass(frozen=True)
class Filterbank(OfAudio, Operator):
    """A spectrogram times a bank ``[F, filters]``: ``[..., N, filters]``, with a window ``[n_fft]`` and the bank."""

    stem = "filterbank"

    framing: Framing
    power: float = 1.0
    scale: float = 1.0
    epilogue: Epilogue | None = None

    @property
    def spectrogram(self) -> Spectrogram:
        """What is filtered."""
        return Spectrogram(self.framing, self.power, self.scale)

    @property
    def linear(self) -> Filterbank:
        """Itself without its epilogue."""
        return Filterbank(self.framing, self.power, self.scale)

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], self.framing.frames(x[-1]), weights[1][1]


@dataclass(frozen=True)
class ClippedFilterbank(Operator):
    """A :class:`Filterbank` of which nothing is less than its peak minus ``top_db``.

    The peak is an example's or, ``packed``, that of all along the audio's last batch axis.
    """

    stem = "filterbank"

    filterbank: Filterbank
    top_db: float
    packed: bool = False

    def check(self, x: Shape) -> None:
        self.filterbank.check(x)

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return self.filterbank.shape(x, *weights)


@dataclass(frozen=True)
class Cepstrum(Operator):
    """A :class:`Filterbank`, clipped if ``top_db`` is given, times a basis ``[filters, M]``: ``[..., N, M]``.

    Its weights are the window, the bank and the basis. What is ``packed``, :class:`ClippedFilterbank` says.
    """

    stem = "filterbank"

    filterbank: Filterbank
    top_db: float | None = None
    packed: bool = False

    def check(self, x: Shape) -> None:
        self.filterbank.check(x)

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], self.filterbank.framing.frames(x[-1]), weights[2][1]


@dataclass(frozen=True)
class PowerAdjoint(Operator):
    """Audio's gradient ``[..., length]`` of that of its power spectrogram, ``[..., N, F]``.

    Its weights are the spectrum ``[..., N, F]``, of whose parts it is linear too, and the window.
    """

    stem = "stft"

    stft: Stft
    length: int

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-2], self.length


@dataclass(frozen=True)
class Project(Linear):
    """Values ``[..., N, F]`` times a bank ``[F, filters]``, or times the transpose of a bank ``[filters, F]``."""

    stem = "projection"

    transposed: bool = False

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], weights[0][0 if self.transposed else 1]

    def transpose(self, x: Shape) -> Project:
        return Project(not self.transposed)


@dataclass(frozen=True)
class ProjectPower(Operator):
    """Values ``[..., N, F]``, or their squares, times a bank ``[F, filters]``, and what follows."""

    stem = "projection"

    power: Literal[1, 2] = 2
    epilogue: Epilogue | None = None

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], weights[0][1]


@dataclass(frozen=True)
class ProjectClipped(Operator):
    """:class:`Project` of decibels of which nothing is less than an example's peak minus ``top_db``."""

    stem = "projection"

    top_db: float

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], weights[0][1]


@dataclass(frozen=True)
class Describe(OfAudio, Operator):
    """Descriptors ``[..., rows, N]`` of the magnitudes of audio ``[..., T]``.

    Its weights are the window ``[n_fft]`` and the bins' frequencies ``[F]``.
    """

    stem = "descriptors"

    framing: Framing
    spec: DescriptorSpec

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], self.spec.rows, self.framing.frames(x[-1])


@dataclass(frozen=True)
class DescribeMagnitudes(Operator):
    """Descriptors ``[..., rows, N]`` of magnitudes ``[..., N, F]``, with the bins' frequencies ``[F]``."""

    stem = "descriptors"

    spec: DescriptorSpec

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-2], self.spec.rows, x[-2]


@dataclass(frozen=True)
class FrameStatistic(OfAudio, Operator):
    """A number ``[..., N]`` of each frame of audio ``[..., T]``.

    ``"norm"`` is the root of the sum of squares; ``"crossings"`` counts the samples that differ in sign from the one
    before them in the frame, where what lies above ``-zero`` counts as positive.
    """

    stem = "frame_statistics"

    framing: Framing
    statistic: Statistic
    zero: float = 1e-10

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], self.framing.frames(x[-1])


@dataclass(frozen=True)
class PhaseVocoder(Operator):
    """Spectrum ``[..., M, F]`` between the frames of a spectrum ``[..., N, F]``, as loud as they are.

    Its weights are whole numbers ``frames [4, M]``, of which those from ``N`` on are silent frames, and
    ``fractions [M]``. With ``start, end, low, high = frames[:, m]``, bins of frame ``m`` are as large as those of
    frames ``low`` and ``high`` interpolated, and from ``m`` on they turn as between frames ``start`` and ``end``. The
    first is turned as frame ``start`` is. A bin that is 0 is turned by 0, or by half a turn where its real part is -0.
    """

    stem = "phase_vocoder"
    is_complex = True

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-2], weights[0][1], x[-1]


@dataclass(frozen=True)
class GriffinLim(Operator):
    """Audio ``[..., length]`` whose spectrum has the given magnitudes ``[..., N, F]``, or nearly so.

    Its weights are a first spectrum ``[..., N, F]``, whose magnitudes are the given ones, and the window ``[n_fft]``.
    ``momentum`` is how much of the spectrum before is taken from each spectrum; ``eps`` is added to magnitudes that are
    divided by.
    """

    stem = "griffinlim"

    istft: Istft
    stft: Stft
    iterations: int
    momentum: float
    eps: float

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-2], self.istft.length


@dataclass(frozen=True)
class KaldiSpectrogram(Operator):
    """Logarithms ``[..., N, F]`` of frames' energies at each frequency, with a window ``[frame length]``.

    In the place of the first is that of a frame's whole energy.
    """

    stem = "kaldi"

    extraction: Extraction

    def check(self, x: Shape) -> None:
        self.extraction.framing.check(x[-1])

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], self.extraction.framing.frames(x[-1]), bins_of(self.extraction.n_fft, True)


@dataclass(frozen=True)
class KaldiFilterbank(KaldiSpectrogram):
    """Frames' magnitudes to ``power`` times a bank ``[F, filters]``, or their logarithms: ``[..., N, values]``.

    Its weights are the window and the bank; the logarithm of a frame's energy may be one more of its values.
    """

    power: Literal[1, 2] = 2
    logarithmic: bool = True
    energy: Place = ""

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], self.extraction.framing.frames(x[-1]), weights[1][1] + bool(self.energy)


@dataclass(frozen=True)
class Deltas(Linear):
    """Slopes ``[..., T]`` of values ``[..., T]``: of a line fitted to each and ``reach`` neighbours on either side.

    ``pad_mode`` extends the values at both ends.
    """

    stem = "deltas"

    reach: int
    pad_mode: str = "replicate"

    @property
    def framing(self) -> Framing:
        """The neighbourhoods: one for each value."""
        return Framing(2 * self.reach + 1, 1, self.reach, self.reach, self.pad_mode)

    @property
    def scale(self) -> float:
        """What differences times distances are summed with: one over the sum of the distances' squares."""
        return 3 / (self.reach * (self.reach + 1) * (2 * self.reach + 1))

    def check(self, x: Shape) -> None:
        self.framing.check(x[-1])

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return x

    def transpose(self, x: Shape) -> Deltas:
        return DeltasAdjoint(self.reach, self.pad_mode)


@dataclass(frozen=True)
class DeltasAdjoint(Deltas):
    """The gradient ``[..., T]`` of values, of that of their :class:`Deltas`."""

    def transpose(self, x: Shape) -> Deltas:
        return Deltas(self.reach, self.pad_mode)


@dataclass(frozen=True)
class Medians(Operator):
    """Medians of windows of ``size`` values along an axis, which is mirrored at its ends, their values included.

    The window of value ``i`` begins ``size // 2`` values before it; of an even number of values, the median is the
    larger of the two in the middle.
    """

    stem = "medians"

    size: int
    axis: int = -1

    def check(self, x: Shape) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return x


@dataclass(frozen=True)
class MaskSpans(Operator):
    """Values ``[..., N, M]`` of which spans along their last two axes are overwritten, each example's own.

    Its weights are ``drawn [2, spans, ...]`` and the value to overwrite with, ``[1]``. A span along ``axes[k]``, -1 or
    -2, begins at the whole part of ``drawn[1, k]`` times what its length ``drawn[0, k]`` leaves of the axis, in the
    precision of these, and has the whole part of its length.
    """

    stem = "spans"

    axes: tuple[int, ...]

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return x


@dataclass(frozen=True)
class Resample(Linear):
    """Audio ``[..., T]`` at ``new / orig`` times its rate, ``[..., (T // orig + 1) * new]``.

    Its weights are ``[new, 2 * reach + 1]``: result ``n`` is the sum of the samples within ``reach`` of sample
    ``n * orig // new``, times the weights of phase ``n % new``. Silence surrounds the audio. ``orig`` samples make a
    frame of ``new`` results, which what is not finite spoils as a whole, be it among those samples or within ``reach``.
    """

    stem = "resample"

    orig: int
    new: int
    reach: int

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], (x[-1] // self.orig + 1) * self.new

    def transpose(self, x: Shape) -> Linear:
        return ResampleAdjoint(self.orig, self.new, self.reach, x[-1])


@dataclass(frozen=True)
class ResampleAdjoint(Linear):
    """Audio's gradient ``[..., length]``, of that of its :class:`Resample`."""

    stem = "resample"

    orig: int
    new: int
    reach: int
    length: int

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], self.length

    def transpose(self, x: Shape) -> Resample:
        return Resample(self.orig, self.new, self.reach)


@dataclass(frozen=True)
class RecursiveFilter(Linear):
    """Signals ``[..., T]`` that follow ``sum_k a[k] y[t - k] = sum_k b[k] x[t - k]`` and are 0 before the first sample.

    Its weights are ``a`` and ``b``, each ``[order + 1]`` for one filter, or ``[filters, order + 1]`` for signals
    ``[..., filters, T]``; the two orders may differ. Coefficients are divided by ``a[0]`` in their own precision.
    ``backward`` is time that runs from the last sample to the first.
    """

    stem = "recursive_filter"

    backward: bool = False

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return x

    def transpose(self, x: Shape) -> RecursiveFilter:
        return RecursiveFilter(not self.backward)


@dataclass(frozen=True)
class ClampedFilter(Operator):
    """A :class:`RecursiveFilter` whose result, and not what it goes on from, is clamped to magnitudes up to 1."""

    stem = "recursive_filter"

    filter: RecursiveFilter

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return x


@dataclass(frozen=True)
class LaggedProducts(Operator):
    """Sums over ``t`` of ``x[t - k] y[t]`` for ``k`` from 0 to ``lags - 1``, of signals ``[..., filters, T]``.

    The result is ``[filters, lags]``, ``y`` a weight of the shape of ``x``: so the gradients of coefficients are made.
    """

    stem = "lagged_products"

    lags: int

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return x[-2], self.lags


@dataclass(frozen=True)
class Convolve(Linear):
    """Convolution ``[..., N + M - 1]`` of signals ``[..., N]`` with filters ``[..., M]``.

    The filters' leading axes broadcast to the signals'. What is not finite, in either, spoils what it is part of, and
    where that is computed by transforms, its whole signal.
    """

    stem = "convolution"

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], x[-1] + weights[0][-1] - 1

    def check(self, x: Shape) -> None:
        if x[-1] < 1:
            raise ValueError("there are no samples to convolve")

    def transpose(self, x: Shape) -> Correlate:
        return Correlate(x[-1])


@dataclass(frozen=True)
class Correlate(Linear):
    """Sums over ``m`` of ``x[..., n + m] y[..., m]`` for ``n`` from 0 to ``length - 1``, with filters ``y [..., M]``.

    Signals are ``[..., length + M - 1]``; the filters' leading axes broadcast to theirs. What is not finite is as in
    :class:`Convolve`.
    """

    stem = "convolution"

    length: int

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], self.length

    def check(self, x: Shape) -> None:
        if not 0 < self.length <= x[-1]:
            raise ValueError(f"{self.length} sums need as many samples, and at least 1, got {x[-1]}")

    def transpose(self, x: Shape) -> Convolve:
        return Convolve()


@dataclass(frozen=True)
class SlidingNormalization(Operator):
    """Frames ``[..., N, F]`` less the mean of each feature in a window around them, as Kaldi's sliding-window CMN.

    The window of frame ``n`` has ``window`` frames around it if ``centred``, or it and the ``window`` before it and, at
    the start, no fewer than ``least`` frames; at the ends it is moved inside. ``scaled``, what is left is divided by
    the window's standard deviation, or 0 where the window is one frame, and NaN where the variance may be nothing but
    ``N`` roundings of the squares. What is not finite spoils its feature in all windows from the first that has it on.
    """

    stem = "sliding_normalization"

    window: int = 600
    least: int = 100
    centred: bool = False
    scaled: bool = False

    def check(self, x: Shape) -> None:
        if self.window < 1:
            raise ValueError(f"window must be at least 1, got {self.window}")

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return x


@dataclass(frozen=True)
class OverlapAdd(Linear):
    """Sum of frames ``[..., N, n_fft]`` placed ``hop_length`` samples apart."""

    stem = "overlap_add"

    hop_length: int

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-2], overlap_length(x[-2], x[-1], self.hop_length)

    def transpose(self, x: Shape) -> Frames:
        return Frames(Framing(x[-1], self.hop_length))


@dataclass(frozen=True)
class Frames(OfAudio, Linear):
    """Frames ``[..., N, n_fft]`` of audio ``[..., T]``."""

    stem = "overlap_add"

    framing: Framing

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-1], self.framing.frames(x[-1]), self.framing.n_fft

    def transpose(self, x: Shape) -> OverlapAdd:
        return OverlapAdd(self.framing.hop_length)


@dataclass(frozen=True)
class Synthesis(Operator):
    """What an :class:`Istft` makes of the inverse transforms ``[..., N, n_fft]`` of its frames, with its window."""

    stem = "overlap_add"

    istft: Istft

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return *x[:-2], self.istft.length


@dataclass(frozen=True)
class Elementwise(Operator):
    """An epilogue alone: a function of each value."""

    stem = "epilogues"

    epilogue: Epilogue

    def shape(self, x: Shape, *weights: Shape) -> Shape:
        return x
