"""convolve and fftconvolve of torchaudio.functional."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
import torchaudio
from torch import Tensor

from mlx_spectro.design.operators import Convolve, Correlate, LaggedProducts, RecursiveFilter
from mlx_spectro.kernels import cpu
from mlx_spectro.kernels.gpu.convolution import MOST_TAPS

from ...arrays import kinds, torch_results
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_other, check_tensor
from ...arrays.torch_autograd import or_by_torch
from ...arrays.torch_ops import run
from ...arrays.torch_tensors import gradient_wanted, to_host
from ...contract import settings
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.plans import Planned
from ...contract.reasons import REJECTED, BySize, unread
from .differentiable import seen_by_torch
from .filtering import engine_for
from .resample import check_defaults

_convolve, _fftconvolve = torchaudio.functional.convolve, torchaudio.functional.fftconvolve
_MODES = ("full", "valid", "same")
# taps up to which a filter's own sums take less than transforms in double precision
_FEW_TAPS = 32
# results, of lengths without large prime factors and of others, below which a call costs both of us the same
_FEW_RESULTS, _FEW_AWKWARD_RESULTS = 1 << 14, 1 << 11
# of so many signals and of fewer, taps and products, below which it does
_SEVERAL, _FEW_SUMS = 4, ((8, 1 << 16), (16, 1 << 20))
# On a GPU, of an H100: the results of a graph from which on ours take no longer; of a call, below which our planning
# takes longer than torch's kernels, each result counting for its taps and for being read and written.
_FEW_IN_A_GRAPH, _MUCH, _BESIDE_TAPS = 1 << 16, 1 << 29, 32
# of two signals that are about as long, torchaudio transforms as many samples as we do
_ABOUT_AS_LONG = 4


class Way(NamedTuple):
    """How signals are convolved."""

    engine: Any
    direct: bool
    """As sums of products, which are rounded once, and which what is not finite spoils only if they have it."""

    def by_torch(self, op: Convolve | Correlate, x: Tensor, y: Tensor) -> Tensor:
        """In torch's own operations."""
        theirs = _convolve if self.direct else _fftconvolve
        whole: Tensor = theirs(x, y if isinstance(op, Convolve) else y.flip(-1))
        if isinstance(op, Convolve):
            return whole
        begin = y.shape[-1] - 1
        return whole[..., begin : begin + op.length]


def combined(op: Convolve | Correlate, x: Tensor, y: Tensor, way: Way) -> Tensor:
    """Signals convolved or correlated with filters of equal leading axes, differentiable by both."""
    if seen_by_torch(x, y):
        return way.by_torch(op, x, y)
    if gradient_wanted(x) or gradient_wanted(y):
        # torchaudio keeps spectra, and of a direct convolution the signal itself and the filter reversed
        kept = (x if way.direct else x.clone()), y.clone()
        result: Tensor = _Combined.apply(*kept, op, way)  # type: ignore[no-untyped-call]
        return result
    return _combined(op, x, y, way)


def _combined(op: Convolve | Correlate, x: Tensor, y: Tensor, way: Way) -> Tensor:
    def ours() -> Tensor:
        if callable(way.engine):
            return _on_gpu(way.engine, op, x, y)
        if way.direct:
            result = _by_few_products(op, x, y, way.engine)
            return _by_products(op, x, y, way.engine) if result is None else result
        result = torch_results.empty(op.shape(x.shape, y.shape), x.dtype)
        way.engine.run(op, to_host(x), to_host(y), out=to_host(result))
        return result

    return or_by_torch(ours, lambda: way.by_torch(op, x, y))


def _on_gpu(engine: Any, op: Convolve | Correlate, x: Tensor, y: Tensor) -> Tensor:
    """By kernels, of which each takes a filter of few taps: of a longer one, block by block."""
    from ...arrays.torch_launch import side_by_side

    if isinstance(op, Convolve):
        signal, taps = (x, y) if x.shape[-1] >= y.shape[-1] else (y, x)
        return run(engine, op, signal, side_by_side(taps))
    count, rest = divmod(y.shape[-1], MOST_TAPS)
    whole = y.shape[-1] - rest
    sums = []
    if rest:
        sums.append(run(engine, op, x[..., whole:], side_by_side(y[..., whole:])))
    if count:
        frames = x[..., : whole + op.length - 1].unfold(-1, MOST_TAPS + op.length - 1, MOST_TAPS)
        blocks = y[..., :whole].unflatten(-1, (count, MOST_TAPS))
        sums.append(run(engine, op, frames, side_by_side(blocks)).sum(-2))
    return sums[0] if len(sums) == 1 else sums[0] + sums[1]


def _by_products(op: Convolve | Correlate, x: Tensor, y: Tensor, engine: Any) -> Tensor:
    """By transforms in double precision, where there is any, and rounded once."""
    more = {"precise": True} if engine is cpu else {}
    result = torch_results.empty(op.shape(x.shape, y.shape), torch.float64 if more else x.dtype)
    out = to_host(result)
    engine.run(op, to_host(x), to_host(y), out=out, **more)
    if not np.isfinite(out[..., 0]).all():
        raise Decline("what is not finite is in transforms of a whole signal")
    return result.to(x.dtype)


def _by_few_products(op: Convolve | Correlate, x: Tensor, y: Tensor, engine: Any) -> Tensor | None:
    """By sums of few products, or of few results; None where there are many."""
    longer, shorter = (x, y) if x.shape[-1] >= y.shape[-1] else (y, x)
    taps = shorter.shape[-1]
    if isinstance(op, Correlate) and op.length <= _FEW_TAPS:
        later = x.reshape(1, -1, x.shape[-1])
        earlier = torch.nn.functional.pad(y, (0, op.length - 1)).reshape(later.shape)
        return run(engine, LaggedProducts(op.length), earlier, later).reshape(*x.shape[:-1], op.length)
    if taps > _FEW_TAPS:
        return None
    weights, signal = to_host(shorter).reshape(-1, taps), to_host(longer)
    if not np.isfinite(weights).all():
        raise Decline("the shorter signal is not finite, which spoils no more than the longer has samples for")
    whole, rows = isinstance(op, Convolve), signal.reshape(1, -1, signal.shape[-1])
    if whole:
        rows = np.zeros((1, len(weights), signal.shape[-1] + taps - 1), signal.dtype)
        rows[..., : signal.shape[-1]] = signal.reshape(1, -1, signal.shape[-1])
    elif shorter is x:
        return None
    else:
        weights = weights[:, ::-1]
    result = torch_results.empty((*x.shape[:-1], rows.shape[-1]), x.dtype)
    out = to_host(result).reshape(rows.shape)
    engine.run(RecursiveFilter(), rows, np.ones_like(weights[:, :1]), weights, out=out)
    return result if whole else result[..., taps - 1 :].clone(memory_format=torch.contiguous_format)


class _Combined(torch.autograd.Function):
    """A convolution or a correlation as torch differentiates it: by either of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, op: Convolve | Correlate, way: Way) -> Tensor:
        ctx.op, ctx.way, ctx.sizes = op, way, (x.shape[-1], y.shape[-1])
        ctx.save_for_backward(x, y)
        return _combined(op, x, y, way)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, y = ctx.saved_tensors
        of_x = of_y = None
        length, taps = ctx.sizes
        if isinstance(ctx.op, Convolve):
            if ctx.needs_input_grad[0]:
                of_x = combined(Correlate(length), g, y, ctx.way)
            if ctx.needs_input_grad[1]:
                of_y = combined(Correlate(taps), g, x, ctx.way)
        else:
            if ctx.needs_input_grad[0]:
                of_x = combined(Convolve(), g, y, ctx.way)
            if ctx.needs_input_grad[1]:
                of_y = combined(Correlate(taps), x, g, ctx.way)
        return of_x, of_y, None, None


def _lead(x: Tensor, y: Tensor) -> tuple[int, ...]:
    """Leading axes of a result; declined where torchaudio refuses."""
    pairs = list(zip(x.shape[:-1], y.shape[:-1], strict=True))
    if any(one != other and 1 not in (one, other) for one, other in pairs):
        raise Decline(REJECTED)
    return tuple(map(max, pairs))


def _cut(mode: str, length: int, taps: int) -> slice:
    """What a mode leaves of a whole convolution."""
    total = length + taps - 1
    count = abs(length - taps) + 1 if mode == "valid" else length
    start = (total - count) // 2
    return slice(start, start + count)


def _holds_spectra(x: Tensor, y: Tensor) -> bool:
    """Whether no step of a product of spectra overflows; by Schwarz's inequality, sums are within norms."""
    norms = [float(torch.linalg.vector_norm(each.detach())) for each in (x, y)]
    total = x.shape[-1] + y.shape[-1]
    return total * total * max(1.0, norms[0]) * max(1.0, norms[1]) < torch.finfo(x.dtype).max


def _check_spectra(rows: int, length: int, taps: int) -> None:
    """Decline what torchaudio's whole transforms take no longer for."""
    total = length + taps - 1
    smooth = _is_smooth(total)
    least = _FEW_RESULTS if smooth else _FEW_AWKWARD_RESULTS
    if rows * total < least:
        raise Decline(BySize(f"torchaudio is as fast for fewer than {least} results"))
    if smooth and _ABOUT_AS_LONG * taps > length:
        raise Decline(BySize(f"torchaudio is as fast for two signals about as long, of which {total} results come"))


def _check_sums(rows: int, length: int, taps: int) -> None:
    """Decline what torchaudio's sums of products take no longer for."""
    fewest, least = _FEW_SUMS[rows < _SEVERAL]
    if taps < fewest or rows * taps * (length + taps - 1) < least:
        raise Decline(BySize("torchaudio is as fast for few products"))


def _check_work(results: int, taps: int) -> None:
    """Decline what a GPU has done, by torch's kernels, before we have planned it; a graph's planning costs nothing."""
    if kinds.is_capturing() and results >= _FEW_IN_A_GRAPH:
        return
    if results * (_BESIDE_TAPS + taps) < _MUCH:
        raise Decline(BySize("torchaudio is as fast on a GPU, but for many results of many taps"))


def _is_smooth(n: int) -> bool:
    """Whether ``n`` has no prime factor that an FFT is slow with."""
    for prime in (2, 3, 5, 7, 11, 13):
        while n % prime == 0:
            n //= prime
    return n == 1


def _plan(x: Any, y: Any, mode: Any, direct: bool) -> Work:
    check_tensor(x)
    check_other("y", y)
    if type(mode) is not str:
        raise Decline(unread("mode", mode))
    if mode not in _MODES or x.dim() != y.dim() or not x.dim():
        raise Decline(REJECTED)
    if x.is_complex() or x.dtype != y.dtype or x.device != y.device:
        raise Decline("x and y are not real numbers of one dtype on one device")
    if not (x.is_cpu or direct):
        raise Decline("torch's own transforms convolve on a GPU: convolve is served there, fftconvolve of CPU tensors")
    way = Way(engine_for(x), direct)

    def work(x: Tensor, y: Tensor) -> Tensor:
        if direct:
            check_defaults()
        lead = _lead(x, y)
        if not (x.numel() and y.numel()):
            raise Decline("there are no samples")
        length, taps = x.shape[-1], y.shape[-1]
        on_gpu, sizes = callable(way.engine), sorted((length, taps), reverse=True)
        if on_gpu:
            way.engine.check(Convolve(), *((*lead, each) for each in sizes))
        if settings.route.get() == "auto":
            if on_gpu:
                _check_work(math.prod(lead) * (sum(sizes) - 1), sizes[1])
            else:
                (_check_sums if direct else _check_spectra)(math.prod(lead), *sizes)
        if not direct:
            _check_transforms(x, y)
        result = _whole(x, y, lead, way)
        return result if mode == "full" else result[..., _cut(mode, length, taps)]

    return Planned(work, (x, y))


def _check_transforms(x: Tensor, y: Tensor) -> None:
    """Decline signals that are not transformed as torch transforms them."""
    if min(x.shape[-1], y.shape[-1]) == 1:
        if gradient_wanted(x) or gradient_wanted(y):
            raise Decline("gradients of single samples lie in memory as torch's transforms have them")
        if not (x.is_contiguous() and y.is_contiguous()):
            raise Decline("what a single sample is convolved with lies in memory as torch's transforms have it")
    if not _holds_spectra(x, y):
        raise Decline("values are not finite, or so large that transforms may overflow")


def _whole(x: Tensor, y: Tensor, lead: tuple[int, ...], way: Way) -> Tensor:
    """The whole convolution of signals of leading axes that become ``lead``."""
    signals, filters = (each if each.shape[:-1] == lead else each.expand(*lead, each.shape[-1]) for each in (x, y))
    if not way.direct:
        return combined(Convolve(), signals, filters, way)
    if x.shape[-1] < y.shape[-1]:
        signals, filters = filters, signals
    if gradient_wanted(x) or gradient_wanted(y):
        # as torchaudio does, which may copy them
        signals, filters = (each.reshape(-1, each.shape[-1]) for each in (signals, filters))
    return combined(Convolve(), signals, filters, way).reshape(*lead, -1)


def bound(dtype: np.dtype[Any], roundings: int, largest: float) -> float:
    """Bound for convolutions whose sums are rounded so many times, all told, as their largest is once."""
    return 0.0 if dtype.kind != "f" else float(np.finfo(dtype).eps) * roundings * largest


def _relative(errors: Tensor, x: Tensor, y: Tensor, mode: str) -> int:
    """Errors in units of the last place of the largest result."""
    largest = float(_fftconvolve(x.double(), y.double(), mode).abs().max())
    ratio = float(errors.max()) / largest if largest else 0.0
    return math.ceil(ratio) if math.isfinite(ratio) else 1 << 62


def roundings(x: Tensor, y: Tensor, mode: str = "full") -> int:
    """Of a product of spectra: each transform is within ``log2`` of its length of roundings of its signal's norm.

    N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2. There are three of them, and
    two computations that differ.
    """
    norms = [torch.linalg.vector_norm(each.detach().double(), dim=-1) for each in (x, y)]
    transforms = 6 * (1 + math.log2(max(2, 4 * (x.shape[-1] + y.shape[-1]))))
    return _relative(transforms * norms[0] * norms[1], x.detach(), y.detach(), mode)


def roundings_of_sums(x: Tensor, y: Tensor, mode: str = "full") -> int:
    """Of sums of products, each rounded with every term to a part of the sum of their magnitudes."""
    x, y = x.detach(), y.detach()
    terms = min(x.shape[-1], y.shape[-1])
    return _relative(2 * (terms + 1) * _fftconvolve(x.double().abs(), y.double().abs(), mode), x, y, mode)


@adapter("torchaudio.functional.fftconvolve", bound, order=lambda arguments: roundings(**arguments))
def fftconvolve(x: Tensor, y: Tensor, mode: str = "full") -> Work:
    """torchaudio.functional.fftconvolve. Same arguments, same defaults."""
    return _plan(x, y, mode, direct=False)


@adapter("torchaudio.functional.convolve", bound, order=lambda arguments: roundings_of_sums(**arguments))
def convolve(x: Tensor, y: Tensor, mode: str = "full") -> Work:
    """torchaudio.functional.convolve. Same arguments, same defaults.

    Sums of many products are made by transforms in double precision, and rounded once.
    """
    return _plan(x, y, mode, direct=True)
