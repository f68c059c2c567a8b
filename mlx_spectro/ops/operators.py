"""What everything here is made of, on MLX arrays, by the fastest implementation present, with every transformation.

The STFT and its inverse are linear, so one rule each gives them all: the derivative is the operator itself, the
gradient its transpose, and a batch axis is one more leading axis. A fused operator takes its derivatives from parts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np

from .. import _check
from ..design import operators as values
from ..design.epilogues import Decibels, Epilogue, Log
from ..design.framing import Framing
from ..kernels.cpu import Wanted
from ..kernels.gpu import plan
from . import backend, mlx_on_cpu, mlx_on_gpu
from . import stft as plain
from .autodiff import Operator, fused, fused_pair, linear, with_rules
from .decibels import clip_below_peak, example_axes, packed_axes, to_decibel
from .frames import frame
from .frames import overlap_add as add_overlapping

# what is taken of a filtered spectrogram: nothing; ("log", amin, added) for log(max(x, amin)), or log(x + amin) if
# added; or ("db", multiplier, amin, reference) for multiplier * log10(max(x, amin) / max(reference, amin))
Ending = tuple[Any, ...] | None


@functools.lru_cache(maxsize=64)
def _frequencies(hz: bytes) -> mx.array:
    array = mx.array(np.frombuffer(hz, np.float32))
    mx.eval(array)
    return array


def _hz(wanted: Wanted) -> mx.array:
    """The bins' frequencies, of the same values the same array."""
    return _frequencies(np.asarray(wanted.hz, np.float32).tobytes())


def _epilogue(ending: Ending) -> Epilogue | None:
    if ending is None:
        return None
    return Log(*ending[1:]) if ending[0] == "log" else Decibels(*ending[1:])


class _OnGpu:
    """The functions of :mod:`.mlx_on_cpu`, by :func:`.mlx_on_gpu.run`."""

    def serves(self, n_fft: int) -> bool:
        return plan.why_not(n_fft) is None

    def stft(self, x: mx.array, window: mx.array, framing: Framing, scale: float) -> Any:
        return mlx_on_gpu.run(values.Stft(framing, scale), x, window)

    def stft_adjoint(self, g: mx.array, window: mx.array, framing: Framing, scale: float, length: int) -> Any:
        return mlx_on_gpu.run(values.StftAdjoint(framing, length, scale), g, window)

    def istft(self, z: mx.array, window: mx.array, framing: Framing, scale: float, length: int) -> Any:
        return mlx_on_gpu.run(values.Istft(framing, length, scale), z, window)

    def istft_adjoint(self, g: mx.array, window: mx.array, framing: Framing, scale: float, frames: int) -> Any:
        return mlx_on_gpu.run(values.IstftAdjoint(framing, frames, scale), g, window)

    def spectrogram(self, x: mx.array, window: mx.array, framing: Framing, scale: float, power: float) -> Any:
        return mlx_on_gpu.run(values.Spectrogram(framing, power, scale), x, window)

    def filterbank(
        self, x: mx.array, window: mx.array, framing: Framing, scale: float, power: float, bank: mx.array, ending: Any
    ) -> Any:
        return mlx_on_gpu.run(values.Filterbank(framing, power, scale, _epilogue(ending)), x, window, bank)

    def project(self, s: mx.array, bank: mx.array, *, transposed: bool = False, squared: bool = False) -> Any:
        return mlx_on_gpu.run(values.ProjectSquares() if squared else values.Project(transposed), s, bank)

    def describe(self, x: mx.array, window: mx.array, framing: Framing, wanted: Wanted) -> Any:
        return mlx_on_gpu.run(values.Describe(framing, wanted.spec), x, window, _hz(wanted))

    def describe_given(self, s: mx.array, wanted: Wanted) -> Any:
        return mlx_on_gpu.run(values.DescribeMagnitudes(wanted.spec), s, _hz(wanted))

    def power_adjoint(
        self, z: mx.array, g: mx.array, window: mx.array, framing: Framing, scale: float, length: int
    ) -> Any:
        return mlx_on_gpu.run(values.PowerAdjoint(values.Stft(framing, scale), length), g, z, window)

    def frame_number(self, x: mx.array, framing: Framing, name: Any) -> Any:
        return mlx_on_gpu.run(values.FrameStatistic(framing, name), x)


def _run(op: values.Operator, x: mx.array, *weights: mx.array) -> mx.array:
    y = mlx_on_gpu.run(op, x, *weights)
    assert y is not None
    return y


_on_gpu = _OnGpu()
_KERNELS: dict[str, Any] = {"host": mlx_on_cpu, "gpu": _on_gpu}


def _module(x: mx.array) -> Any:
    """The module whose kernels serve here, None for plain ops, which alone take no values at all."""
    return _KERNELS.get(backend.preferred()) if x.size else None


def _serving(x: mx.array, n_fft: int) -> Any:
    """:func:`_module`, for frames of ``n_fft`` samples."""
    module = _module(x)
    return module if module is not None and module.serves(n_fft) else None


def _whole(by_kernels: Callable[[mx.array], mx.array | None], parts: Operator) -> Operator:
    """``by_kernels``, with the derivatives of ``parts``, which serves where it gives None."""
    return fused(_or(by_kernels, parts), parts)


def _or(by_kernels: Callable[[mx.array], mx.array | None], parts: Operator) -> Operator:
    def forward(x: mx.array) -> mx.array:
        y = by_kernels(x)
        return parts(x) if y is None else y

    return forward


def stft(x: mx.array, window: mx.array, framing: Framing, *, scale: float = 1.0, onesided: bool = True) -> mx.array:
    """:func:`mlx_spectro.ops.stft.stft`."""
    by = _serving(x, framing.n_fft)
    if by is None:
        return plain.stft(x, window, framing, scale=scale, onesided=onesided)
    framing.check(x.shape[-1])
    z = _analysis(by, window, framing, scale)(x)
    return z if onesided else plain.mirrored(z, framing.n_fft)


def _analysis(by: Any, window: mx.array, framing: Framing, scale: float) -> Operator:
    """The one-sided STFT by kernels."""
    return linear(
        lambda x: by.stft(x, window, framing, scale),
        lambda g, shape: by.stft_adjoint(g, window, framing, scale, shape[-1]),
    )


def _of_power(
    by: Any,
    window: mx.array,
    framing: Framing,
    scale: float,
    forward: Operator,
    after: Operator = lambda s: s,
    before: Operator = lambda g: g,
) -> Operator:
    """``forward``, the power spectrogram by kernels, with its rules: of ``|z|^2``, in one look at the spectrum.

    ``after`` is what ``forward`` does to the spectrogram, a linear operator, and ``before`` its transpose.
    """
    transform = _analysis(by, window, framing, scale)

    def vjp(x: mx.array, g: mx.array) -> mx.array:
        length = x.shape[-1]

        def parts(z: mx.array, g: mx.array) -> mx.array:
            adjoint = linear(
                lambda g: by.stft_adjoint(g, window, framing, scale, length),
                lambda y, _: by.stft(y, window, framing, scale),
            )
            return adjoint(z * (2 * g))

        gradient: Callable[[mx.array, mx.array], mx.array] = parts
        if by is _on_gpu:
            gradient = fused_pair(lambda z, g: by.power_adjoint(z, g, window, framing, scale, length), parts)
        return gradient(transform(x), before(g))

    return with_rules(forward, vjp, lambda x, t: after(2 * mx.real(mx.conj(transform(x)) * transform(t))))


def istft(
    z: mx.array, window: mx.array, framing: Framing, length: int, *, scale: float = 1.0, onesided: bool = True
) -> mx.array:
    """:func:`mlx_spectro.ops.stft.istft`."""
    by = _serving(z, framing.n_fft)
    half = z if onesided else z[..., : framing.n_fft // 2 + 1]
    if by is None and _module(z) is _on_gpu and _fuses_norm():
        return _synthesis(plain.inverse_frames(half, framing.n_fft), window, framing, length, scale)
    if by is None:
        return plain.istft(half, window, framing, length, scale=scale)
    operator = linear(
        lambda z: by.istft(z, window, framing, scale, length),
        lambda g, shape: by.istft_adjoint(g, window, framing, scale, shape[-2]),
    )
    return operator(half)


def _fuses_norm() -> bool:
    """Whether overlap-add and its division by the windows' envelope may be one kernel."""
    return _check.switch("MLX_OLA_FUSE_NORM", default=True)


def _synthesis(frames: mx.array, window: mx.array, framing: Framing, length: int, scale: float) -> mx.array:
    """:func:`mlx_spectro.ops.stft.synthesis`, for frames that no kernel transforms, in one kernel."""
    return fused(
        lambda frames: _run(values.Synthesis(values.Istft(framing, length, scale)), frames, window),
        lambda frames: plain.synthesis(frames, window, framing, length, scale=scale),
    )(frames)


def spectrogram(x: mx.array, window: mx.array, framing: Framing, *, power: float = 1.0, scale: float = 1.0) -> mx.array:
    """Magnitudes ``[..., N, F]`` of :func:`stft`, to a power."""
    framing.check(x.shape[-1])

    def parts(x: mx.array) -> mx.array:
        return plain.magnitudes(stft(x, window, framing, scale=scale), power)

    by = _serving(x, framing.n_fft)
    if by is None:
        return parts(x)

    forward = _or(lambda x: by.spectrogram(x, window, framing, scale, power), parts)
    return (_of_power(by, window, framing, scale, forward) if power == 2 else fused(forward, parts))(x)


def filterbank(
    x: mx.array,
    window: mx.array,
    framing: Framing,
    bank: mx.array,
    *,
    power: float = 1.0,
    scale: float = 1.0,
    ending: Ending = None,
    top_db: float | None = None,
    packed: bool = False,
) -> mx.array:
    """Filtered spectrogram ``[..., N, filters]``: the spectrogram to ``power``, times ``bank [F, filters]``, ended.

    With ``top_db``, nothing is less than its peak minus it: of an example or, ``packed``, of its last batch axis.
    """
    framing.check(x.shape[-1])

    def parts(x: mx.array) -> mx.array:
        if ending is not None:
            return ended(filterbank(x, window, framing, bank, power=power, scale=scale), ending)
        return project(spectrogram(x, window, framing, power=power, scale=scale), bank)

    def clipped(y: mx.array) -> mx.array:
        return clip_below_peak(y, top_db, (packed_axes if packed else example_axes)(y))

    by = _serving(x, framing.n_fft)
    if by is None:
        return clipped(parts(x))
    if by is _on_gpu and top_db is not None:
        op = values.ClippedFilterbank(values.Filterbank(framing, power, scale, _epilogue(ending)), top_db, packed)
        return _whole(
            lambda x: mlx_on_gpu.run(op, x, window, bank),
            lambda x: clipped(parts(x)),
        )(x)
    forward = _or(lambda x: by.filterbank(x, window, framing, scale, power, bank, ending), parts)
    if power == 2 and ending is None:
        after, before = _projection(bank, False), _projection(bank, True)
        return clipped(_of_power(by, window, framing, scale, forward, after, before)(x))
    return clipped(fused(forward, parts)(x))


def cepstrum(
    x: mx.array,
    window: mx.array,
    framing: Framing,
    bank: mx.array,
    basis: mx.array,
    *,
    power: float = 1.0,
    scale: float = 1.0,
    ending: Ending = None,
    top_db: float | None = None,
) -> mx.array:
    """:func:`filterbank` clipped ``top_db`` below each example's peak, ``@ basis [filters, M]``."""

    def parts(x: mx.array) -> mx.array:
        y = filterbank(x, window, framing, bank, power=power, scale=scale, ending=ending)
        return project_clipped(y, basis, top_db)

    if _serving(x, framing.n_fft) is not _on_gpu:
        return parts(x)
    framing.check(x.shape[-1])
    op = values.Cepstrum(values.Filterbank(framing, power, scale, _epilogue(ending)), top_db)
    return _whole(lambda x: mlx_on_gpu.run(op, x, window, bank, basis), parts)(x)


def ended(x: mx.array, ending: Ending) -> mx.array:
    """``x`` or its logarithm, as ``ending`` says."""
    if ending is None:
        return x
    if ending[0] == "log":
        _, amin, added = ending
        return mx.log(x + amin if added else mx.maximum(x, amin))
    return to_decibel(x, *ending[1:])


def project(x: mx.array, bank: mx.array) -> mx.array:
    """``x [..., N, F] @ bank [F, filters]`` in true float32 on every device."""
    return _projection(bank, False)(x)


def _projection(bank: mx.array, transposed: bool) -> Operator:
    """The product with ``bank`` or its transpose, and, as its own transpose, the other one."""

    def parts(x: mx.array) -> mx.array:
        return plain.product(x, bank.T if transposed else bank)

    def forward(x: mx.array) -> mx.array:
        by = _module(x)
        return parts(x) if by is None else _or(lambda x: by.project(x, bank, transposed=transposed), parts)(x)

    return linear(forward, lambda g, _: _projection(bank, not transposed)(g))


def project_clipped(x_db: mx.array, bank: mx.array, top_db: float | None) -> mx.array:
    """:func:`project` of decibels ``[..., N, F]`` of which nothing is more than ``top_db`` below an example's peak."""

    def parts(x_db: mx.array) -> mx.array:
        return project(clip_below_peak(x_db, top_db, example_axes(x_db)), bank)

    if _module(x_db) is not _on_gpu or top_db is None:
        return parts(x_db)

    return _whole(lambda x_db: mlx_on_gpu.run(values.ProjectClipped(top_db), x_db, bank), parts)(x_db)


def project_squares(s: mx.array, bank: mx.array) -> mx.array:
    """:func:`project` of the squares of ``s``."""

    def parts(s: mx.array) -> mx.array:
        return project(mx.square(s), bank)

    by = _module(s)
    return parts(s) if by is None else _whole(lambda s: by.project(s, bank, squared=True), parts)(s)


def _describing(x: mx.array, wanted: Wanted) -> Any:
    """:func:`_module`, for all that is wanted."""
    return _module(x) if wanted.in_kernels else None


def describe(x: mx.array, window: mx.array, framing: Framing, wanted: Wanted, rows_of: Operator) -> mx.array:
    """Descriptors ``[..., rows, N]`` of audio ``[..., T]``: ``rows_of`` its magnitudes ``[..., N, F]``."""
    framing.check(x.shape[-1])

    def parts(x: mx.array) -> mx.array:
        return rows_of(spectrogram(x, window, framing))

    by = _describing(x, wanted)
    return parts(x) if by is None else _whole(lambda x: by.describe(x, window, framing, wanted), parts)(x)


def describe_given(s: mx.array, wanted: Wanted, rows_of: Operator) -> mx.array:
    """Descriptors ``[..., rows, N]`` of magnitudes ``s [..., N, F]``: ``rows_of`` them."""
    by = _describing(s, wanted)
    return rows_of(s) if by is None else _whole(lambda s: by.describe_given(s, wanted), rows_of)(s)


def frame_number(x: mx.array, framing: Framing, name: str, number_of: Operator) -> mx.array:
    """``"norm"`` or ``"crossings"`` ``[..., N]`` of the frames of audio ``[..., T]``: ``number_of`` them."""
    framing.check(x.shape[-1])

    by = _module(x)
    return number_of(x) if by is None else _whole(lambda x: by.frame_number(x, framing, name), number_of)(x)


def overlap_add(frames: mx.array, hop_length: int) -> mx.array:
    """Sum of frames ``[..., N, n_fft]`` placed ``hop_length`` samples apart."""
    if _module(frames) is not _on_gpu:
        return add_overlapping(frames, hop_length)
    framing = Framing(frames.shape[-1], hop_length)
    return linear(lambda frames: _run(values.OverlapAdd(hop_length), frames), lambda g, _: frame(g, framing))(frames)


def require_gpu(n_fft: int) -> None:
    """Raise RuntimeError where no fused GPU kernel transforms frames of ``n_fft`` samples, saying why."""
    reason = mlx_on_gpu.why_not(values.Stft(Framing(n_fft, n_fft)), (n_fft,), (n_fft,))
    if reason:
        raise RuntimeError(f"backend_policy='metal' needs the fused GPU kernels: {reason}")
