"""resample and speed of torchaudio.functional."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torchaudio
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from mlx_spectro.design.operators import Resample
from mlx_spectro.kernels import cpu

from ...arrays import torch_autograd, torch_ops, torch_results, torch_tensors
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_tensor, check_weights
from ...arrays.torch_options import exact, integer, number
from ...arrays.torch_tensors import compiling, gradient_wanted
from ...contract import settings
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.lines import at_callers_line_where
from ...contract.plans import Planned, Run
from ...contract.reasons import REJECTED, BySize, unread

_METHODS = {"sinc_interpolation": "sinc_interp_hann", "kaiser_window": "sinc_interp_kaiser"}
_ROUNDED: dict[torch.dtype, Callable[[float], Any]] = {torch.float32: np.float32, torch.float64: float}
# weights of one filter: half a gigabyte
_MOST = 1 << 27
# in roundings of the largest result, what all weights that are left out may add, which were 0 but for rounding
_NOTHING = 2
# samples, of calls that repeat a plan and of others, and products of torchaudio's with the whole kernel, below which a
# call costs both of us the same
_FEW, _FEW_UNPLANNED, _FEW_PRODUCTS = 1 << 11, 1 << 14, 1 << 22


def bound(dtype: np.dtype[Any], taps: int, largest: float) -> float:
    """Bound for sums of ``taps`` terms, each rounded, of which most are far below the largest; lengths are equal."""
    return 0.0 if dtype.kind != "f" else 4 * float(np.finfo(dtype).eps) * taps * largest


def order(arguments: dict[str, Any]) -> int:
    """Samples that a result is a sum of."""
    if "self" in arguments:
        return 2 * max((getattr(part, "width", 0) for part in arguments["self"].modules()), default=0) + 1
    new, orig = (int(arguments.get(name, 1)) for name in ("new_freq", "orig_freq"))
    if "factor" in arguments:
        new, orig = orig, int(arguments["factor"] * orig)
    width = arguments.get("lowpass_filter_width", 6) / arguments.get("rolloff", 0.99)
    return 2 * math.ceil(float(width) * max(1.0, orig / new)) + 1


class Rates(NamedTuple):
    """Two sampling rates without their common divisor."""

    orig: int
    new: int

    def target(self, length: int) -> int:
        """Results of ``length`` samples, as torchaudio counts them: in torch's default precision."""
        return math.ceil(float(_ROUNDED[torch.get_default_dtype()](self.new * length / self.orig)))


class Filter(NamedTuple):
    """A resampling filter: of each phase the weights ``[new, 2 * reach + 1]`` around its sample."""

    rates: Rates
    reach: int
    weights: Tensor
    sources: tuple[Tensor, ...] = ()

    def applied(self, waveform: Tensor) -> Work:
        """The work of resampling ``waveform [..., T]``."""
        if not (waveform.dim() and waveform.numel()):
            raise Decline("there are no samples")
        shape = waveform.shape
        try:
            rows = waveform.view(-1, shape[-1])
        except RuntimeError:
            raise Decline(REJECTED) from None
        op, engine = Resample(*self.rates, self.reach), torch_tensors.engine_for(waveform)
        target = self.rates.target(shape[-1])

        def work() -> Tensor:
            whole = torch_autograd.linear(engine, op, rows, self.weights, sources=self.sources)
            result = whole[..., :target]
            return result.view(*shape[:-1], result.shape[-1])

        return work


@torch_autograd.defines(Resample)
def _by_torch(op: Resample, x: Tensor, weights: Tensor) -> Tensor:
    row, weights = op.orig + 2 * op.reach, weights.to(x.device)
    dense = weights.new_zeros(op.new, row).scatter(1, _band(op.orig, op.new, op.reach).to(weights.device), weights)
    padded = torch.nn.functional.pad(x.reshape(-1, 1, x.shape[-1]), (op.reach, op.reach + op.orig))
    frames = torch.nn.functional.conv1d(padded, dense[:, None], stride=op.orig)
    return frames.transpose(1, 2).reshape(*x.shape[:-1], -1)


@functools.lru_cache(8)
@torch.inference_mode(False)
def _band(orig: int, new: int, reach: int) -> Tensor:
    """Where the samples within ``reach`` of each phase's are, ``[new, 2 * reach + 1]``, from ``-reach`` on."""
    first = torch.arange(new, device="cpu")[:, None] * orig // new
    return first + torch.arange(2 * reach + 1, device="cpu")


def check_defaults() -> None:
    """Decline where torch's default device or dtype is not what we make torchaudio's constants in."""
    # a device other than the CPU is a mode of torch's
    if torch._C._is_torch_function_mode_enabled() and torch.get_default_device().type != "cpu":
        raise Decline(f"torch's default device is {torch.get_default_device().type}")
    if torch.get_default_dtype() not in _ROUNDED:
        raise Decline(f"torch's default dtype is {torch.get_default_dtype()}")


def _check_surroundings(waveform: Any) -> None:
    check_tensor(waveform)
    if not waveform.is_floating_point():
        raise Decline("the signal is complex: real signals are served")
    check_defaults()


def _rate(name: str, value: Any) -> int:
    rate = number(name, value)
    if not (rate > 0 and rate == rate // 1):
        raise Decline(REJECTED)
    return int(rate)


class Design(NamedTuple):
    """What a windowed sinc is made of."""

    rates: Rates
    lowpass_filter_width: int
    rolloff: float
    method: str
    beta: float | None
    dtype: torch.dtype

    @property
    def cutoff(self) -> float:
        """Of the sinc, in zero crossings a period."""
        return min(self.rates) * self.rolloff

    def at(self, t: Tensor) -> Tensor:
        """The filter at times ``t``, which are overwritten, in periods.

        torchaudio's operations, one for one, for the same bits: ``torchaudio.functional.functional``.
        """
        width = self.lowpass_filter_width
        t *= self.cutoff
        t = t.clamp_(-width, width)
        if self.method == "sinc_interp_hann":
            window = torch.cos(t * math.pi / width / 2) ** 2
        else:
            beta = torch.tensor(14.769656459379492 if self.beta is None else self.beta)
            window = torch.i0(beta * torch.sqrt(1 - (t / width) ** 2)) / torch.i0(beta)
        t *= math.pi
        kernels = torch.where(t == 0, torch.tensor(1.0).to(t), t.sin() / t)
        kernels *= window * (self.cutoff / self.rates.orig)
        return kernels


@functools.lru_cache(32)
@torch.inference_mode(False)
@torch.no_grad()
def _filter(design: Design, _default: torch.dtype) -> Filter | str:
    """The filter, or why it cannot be had by the samples around each result alone."""
    (orig, new), dtype = design.rates, design.dtype
    reach = math.ceil(design.lowpass_filter_width * orig / design.cutoff)
    if new * (2 * reach + 1) > _MOST:
        return f"the filter has {new} phases of {2 * reach + 1} weights"
    sample = torch.arange(-reach, reach + orig, dtype=dtype) / orig
    phase = torch.arange(0, -new, -1, dtype=dtype)[:, None] / new
    weights = design.at(phase + sample[_band(orig, new, reach)])
    beyond = design.at(torch.tensor([-1.0, 1.0], dtype=dtype) * (2 * reach / orig + 1)).abs().max() * (orig - 1)
    if not beyond <= _NOTHING * torch.finfo(dtype).eps * weights.abs().sum(1).max():
        return "the filter does not end where its window does"
    return Filter(design.rates, reach, weights)


def _by_former_name(*args: Any, **kwargs: Any) -> bool:
    """Whether torchaudio warns of its caller's line."""
    return not compiling() and any(type(value) is str and value in _METHODS for value in (*args, *kwargs.values()))


@adapter(
    "torchaudio.functional.resample",
    bound,
    order=order,
    theirs=at_callers_line_where(_by_former_name, torchaudio.functional.resample),
)
def resample(
    waveform: Tensor,
    orig_freq: int,
    new_freq: int,
    lowpass_filter_width: int = 6,
    rolloff: float = 0.99,
    resampling_method: str = "sinc_interp_hann",
    beta: float | None = None,
) -> Work:
    """torchaudio.functional.resample. Same arguments, same defaults.

    The filter is designed as torchaudio designs it, around each result alone, and kept for later calls.
    """
    _check_surroundings(waveform)
    orig, new = _rate("orig_freq", orig_freq), _rate("new_freq", new_freq)
    if orig == new:
        return lambda: waveform
    if type(resampling_method) is not str:
        raise Decline(unread("resampling_method", resampling_method))
    if resampling_method in _METHODS:
        raise Decline(f"{resampling_method} is a former name, which torchaudio warns of")
    width, portion = integer("lowpass_filter_width", lowpass_filter_width), exact("rolloff", rolloff)
    if width < 1 or resampling_method not in _METHODS.values():
        raise Decline(REJECTED)
    if not 0 < portion <= 1:
        raise Decline("rolloff is not a portion")
    shape = None if beta is None else float(number("beta", beta))
    common = math.gcd(orig, new)
    design = Design(Rates(orig // common, new // common), width, portion, resampling_method, shape, waveform.dtype)
    resampler = _filter(design, torch.get_default_dtype())
    if isinstance(resampler, str):
        raise Decline(resampler)
    return resampler.applied(waveform)


# of a kernel, what it was looked at for, what its rows summed up to then, and what came of it
_looks: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


@torch.no_grad()
def _ends(kernel: Tensor, rates: Rates, reach: int) -> bool:
    """Whether next to nothing of ``kernel [new, 1, orig + 2 * reach]`` is beyond ``reach`` of a phase's sample.

    A program can change its values in ways that torch does not count, through ``kernel.data`` or NumPy. Whether it has
    is told by a sum of each row, in shares that no other order or size of the values has.
    """
    sums = kernel[:, 0].mv(_shares(kernel.shape[-1], kernel.dtype))
    look = _looks.get(kernel)
    if look is None or look[0] != (rates, reach) or not torch.equal(look[1], sums):
        look = _looks[kernel] = (rates, reach), sums, _ends_now(kernel, rates, reach)
    ends: bool = look[2]
    return ends


@functools.lru_cache(8)
@torch.inference_mode(False)
def _shares(count: int, dtype: torch.dtype) -> Tensor:
    """Numbers at random, and the same ones each time."""
    generator = torch.Generator("cpu").manual_seed(0)
    return torch.rand(count, dtype=dtype, device="cpu", generator=generator)


@torch.no_grad()
def _ends_now(kernel: Tensor, rates: Rates, reach: int) -> bool:
    beyond, largest, band = 0.0, 0.0, _band(*rates, reach)
    rows = max(1, (1 << 22) // kernel.shape[-1])  # of so many megabytes
    for i in range(0, rates.new, rows):
        part = kernel[i : i + rows, 0].abs()
        largest = max(largest, float(part.sum(1).max()))
        beyond = max(beyond, float(part.scatter_(1, band[i : i + rows], 0.0).sum(1).max()))
    return beyond <= _NOTHING * torch.finfo(kernel.dtype).eps * largest


@functools.lru_cache(8)
def _places(orig: int, new: int, reach: int) -> npt.NDArray[np.int64]:
    """Of the weights around each phase's sample, the places in torchaudio's kernel."""
    places: npt.NDArray[np.int64] = _band(orig, new, reach).numpy() + np.arange(new)[:, None] * (orig + 2 * reach)
    return places


class _Module(NamedTuple):
    """What a module of torchaudio's Resample says of its kernel."""

    engine: Any
    rates: Rates
    reach: int

    def small(self, waveform: Tensor, kernel: Tensor, few: int) -> BySize | None:
        """Why torchaudio is as fast, if it is."""
        if settings.route.get() != "auto" or not waveform.is_cpu or waveform.numel() >= few:
            return None
        products = kernel.numel() * (waveform.numel() // self.rates.orig + 1)
        reason = f"torchaudio is as fast for fewer than {few} samples, where its kernel is small"
        return BySize(reason) if products < _FEW_PRODUCTS else None

    def of(self, waveform: Tensor, kernel: Tensor, few: int = _FEW) -> Work:
        """The work of resampling by the kernel that it has made."""
        _, rates, reach = self
        check_defaults()
        if reach < 0 or min(rates) < 1 or kernel.shape != (rates.new, 1, rates.orig + 2 * reach):
            raise Decline(f"the kernel is {list(kernel.shape)}, which is not the rates'")
        if small := self.small(waveform, kernel, few):
            raise Decline(small)
        weights = _around_phases(kernel, rates, reach)
        if weights is None:
            raise Decline("the kernel is no resampling filter's of torchaudio's, or does not end where its window does")
        return Filter(rates, reach, weights, (kernel,)).applied(waveform)

    def ready(self, run: Run, waveform: Tensor, kernel: Tensor) -> Run | None:
        """What computes ``run`` of audio that lies like this, for as long as the kernel has these values."""
        if self.engine is not cpu or not all(map(torch_ops.is_plain, (waveform, kernel))) or gradient_wanted(waveform):
            return None
        op, kept, shape = Resample(*self.rates, self.reach), kernel.clone(), waveform.shape
        weights = _weights(torch_tensors.to_host(kept), self.rates, self.reach).numpy()

        def call(waveform: Tensor, kernel: Tensor) -> Tensor:
            if not torch.equal(kernel, kept):
                result: Tensor = run(waveform, kernel)
                return result
            check_defaults()
            rows = torch_tensors.to_host(waveform).reshape(-1, shape[-1])
            whole = torch_results.empty(op.shape(rows.shape), waveform.dtype)
            self.engine.run(op, rows, weights, out=torch_tensors.to_host(whole))
            whole = whole[:, : self.rates.target(shape[-1])]
            return whole.view(*shape[:-1], whole.shape[1])

        return call


def _read(module: Any, waveform: Tensor) -> _Module | None:
    """What a module says; None where both rates are one."""
    _check_surroundings(waveform)
    orig, new = number("orig_freq", module.orig_freq), number("new_freq", module.new_freq)
    if orig == new:  # of a module, whatever they are
        return None
    orig, new = _rate("orig_freq", orig), _rate("new_freq", new)
    common, reach = integer("gcd", module.gcd), integer("width", module.width)
    check_weights("kernel", module.kernel, waveform.dtype, waveform)
    if common < 1:
        raise Decline(REJECTED)
    return _Module(torch_tensors.engine_for(waveform), Rates(orig // common, new // common), reach)


def by_module(module: Any, waveform: Tensor) -> Work:
    """What a module of torchaudio's Resample does with ``waveform``."""
    made = _read(module, waveform)
    return (lambda: waveform) if made is None else made.of(waveform, module.kernel, _FEW_UNPLANNED)


def check_pays(modules: list[Any], waveform: Tensor) -> None:
    """Leave to torchaudio what is few samples for each of its Resample's modules that resamples at all."""
    made = [(each, module.kernel) for module in modules if (each := _read(module, waveform))]
    reasons = [each.small(waveform, kernel, _FEW_UNPLANNED) for each, kernel in made]
    if all(reasons) and reasons[:1]:
        raise Decline(reasons[0])


def planned_by_module(module: Any, waveform: Tensor) -> Work:
    """:func:`by_module`, for calls of the same options too."""
    made = _read(module, waveform)
    if made is None:
        return lambda: waveform

    def run(waveform: Tensor, kernel: Tensor) -> Tensor:
        result: Tensor = made.of(waveform, kernel)()
        return result

    return Planned(run, (waveform, module.kernel), lambda _, *arrays: made.ready(run, *arrays))


def _around_phases(kernel: Tensor, rates: Rates, reach: int) -> Tensor | None:
    """The weights around each phase's sample, or None where there are others."""
    if kernel.is_cpu:
        return _weights(torch_tensors.to_host(kernel), rates, reach) if _ends(kernel, rates, reach) else None
    from ...arrays import torch_launch

    def of(values: npt.NDArray[Any]) -> tuple[Tensor | None]:
        return (_weights(values, rates, reach) if _ends_now(torch.from_numpy(values), rates, reach) else None,)

    weights: Tensor | None
    (weights,) = torch_launch.of_weight("kernel", kernel, (rates, reach), of)
    return weights


def _weights(kernel: npt.NDArray[Any], rates: Rates, reach: int) -> Tensor:
    return torch.from_numpy(np.take(kernel.reshape(-1), _places(*rates, reach)))


def lengths_at(lengths: Tensor | None, orig: int, new: int) -> Callable[[], Tensor | None]:
    """The work of counting the results of ``lengths`` samples, by torch's own operations."""
    if lengths is None:
        return lambda: None
    if type(lengths) is not Tensor or lengths.is_complex():
        raise Decline(unread("lengths", lengths))
    return lambda: torch.ceil(lengths * new / orig).to(lengths.dtype)


@adapter("torchaudio.functional.speed", bound, order=order)
def speed(waveform: Tensor, orig_freq: int, factor: float, lengths: Tensor | None = None) -> Work:
    """torchaudio.functional.speed. Same arguments, same defaults."""
    rate, times = exact("orig_freq", orig_freq), exact("factor", factor)
    if not math.isfinite(times * rate):
        raise Decline(REJECTED)
    orig, new = int(times * rate), int(rate)
    if orig < 1 or new < 1:
        raise Decline(REJECTED)
    common = math.gcd(orig, new)
    count = lengths_at(lengths, orig // common, new // common)
    work = resample.plan(waveform, orig // common, new // common)
    return lambda: (work(), count())
