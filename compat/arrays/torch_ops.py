"""Operators on torch tensors, without gradients, and the STFT of a call as a value."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Hashable
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import Istft, Operator, Stft, bins_of
from mlx_spectro.kernels import cpu
from mlx_spectro.kernels.cpu.runtime.layout import Layout

from ..contract.decline import Decline
from ..contract.plans import Run
from ..contract.reasons import FREED
from . import torch_results
from .torch_tensors import counterpart, to_host, transformed

_shape_of = attrgetter("shape")
_CPU = torch.device("cpu")
_KINDS = {
    kind: np.dtype(str(kind).removeprefix("torch."))
    for kind in (torch.float32, torch.float64, torch.complex64, torch.complex128)
}
# calls made ready; a program that has more has few of each
_MOST = 512


def run(engine: Any, op: Operator, x: Tensor, *weights: Tensor) -> Tensor:
    """``op`` without a gradient, contiguous. An engine that is a function takes tensors, any other host memory."""
    if callable(engine):
        return engine(op, x, *weights)  # type: ignore[no-any-return]
    if engine is cpu and all(map(is_plain, (x, *weights))):
        call = _ready(op, x, weights)
        if call is not None:
            return call(x, *weights)
    out = torch_results.empty(op.shape(x.shape, *map(_shape_of, weights)), dtype_of(op, x))
    engine.run(op, to_host(x), *map(to_host, weights), out=to_host(out))
    return out


def is_plain(x: Tensor) -> bool:
    """Whether the numbers in memory are those of ``x``."""
    return not (x.is_neg() or x.is_conj())


class Ready(NamedTuple):
    """An operator on CPU tensors that lie alike, made ready."""

    run: Callable[..., None]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype
    is_large: bool
    margins: tuple[bytes, bytes] = (b"", b"")
    """Zeros before and after the first weights, a window in the middle of its frame."""

    def __call__(self, x: Tensor, *weights: Tensor) -> Tensor:
        if self.is_large:
            out = torch_results.large(self.shape, self.dtype, self.strides)
        else:
            out = torch.empty_strided(self.shape, self.strides, dtype=self.dtype, device=_CPU)
        address, values = x.data_ptr(), []
        if not address:
            raise Decline(FREED)
        for w in weights:
            w = w.contiguous()
            values.append(ctypes.string_at(w.data_ptr(), w.nbytes))
        before, after = self.margins
        if before or after:
            values[0] = before + values[0] + after
        self.run(address, values, out.data_ptr(), (x, out))
        return out


def values_of(weights: Tensor) -> bytes:
    """The values of a CPU tensor, in C order."""
    weights = weights.contiguous()
    return ctypes.string_at(weights.data_ptr(), weights.nbytes)


def ready(
    result: Tensor, engine: Any, op: Operator, x: Tensor, *weights: Tensor, swapped: bool = False, turned: bool = False
) -> Run | None:
    """What computes ``result``, which was made of ``x`` by ``op``, of tensors that lie like these.

    None where that is not the whole of its memory, has a gradient, or no kernel takes the tensors' memory as it is.

    Args:
        weights: The first may be a window that is shorter than its frame.
        swapped: The last two axes of the result are swapped.
        turned: So are those of what it is to take in the place of ``x``.
    """
    inner = result.transpose(-1, -2) if swapped else result
    if result.requires_grad or not inner.is_contiguous() or not all(map(is_plain, (x, *weights))):
        return None
    margins, framing = (b"", b""), getattr(op, "framing", None)
    missing = 0 if framing is None else framing.n_fft - weights[0].numel()
    if callable(engine):
        make = getattr(engine, "ready", None)
        if missing or make is None:
            return None
        on_gpu: Run = make(op, x, *weights, swapped=swapped)
        return (lambda x, *weights: on_gpu(x.transpose(-1, -2), *weights)) if turned else on_gpu
    if engine is not cpu:
        return None
    if missing:
        window, *others = weights
        left, size = missing // 2, window.element_size()
        margins = bytes(left * size), bytes((missing - left) * size)
        weights = window.new_empty(window.numel() + missing), *others
    call: Any = _ready(op, x, weights)
    if call is None or call.shape != inner.shape:
        return None
    run: Run = call._replace(shape=tuple(result.shape), strides=result.stride(), margins=margins)
    return run


def while_equal(call: Run, run: Run, window: Tensor, what: Hashable) -> Run:
    """``call`` of arrays whose second is a window of the same values, on which ``run`` decides else.

    Args:
        what: On a GPU, whose values are not to be looked at, the values of interest are those that ``run`` had of
            :func:`.torch_launch.of_weight` by this.
    """
    if window.is_cpu:
        seen: Callable[[Tensor], Any] = values_of
    else:
        from .torch_launch import known

        def seen(window: Tensor) -> Any:
            return known(window, what)

    values = seen(window)

    def either(x: Tensor, window: Tensor, *others: Tensor) -> Tensor:
        result: Tensor = (call if values is not None and seen(window) == values else run)(x, window, *others)
        return result

    return either


_calls: dict[Hashable, Ready | None] = {}
_UNKNOWN: Any = object()


def _ready(op: Operator, x: Tensor, weights: tuple[Tensor, ...]) -> Ready | None:
    """What computes ``op`` for tensors that lie like these; None where no kernel takes their memory as it is."""
    key = op, x.dtype, x.shape, x.stride(), *[(w.dtype, w.shape) for w in weights]
    call: Ready | None = _calls.get(key, _UNKNOWN)
    if call is not _UNKNOWN:
        return call
    run = cpu.prepare(op, *map(_layout, (x, *weights)))
    call = None
    if run is not None:
        like = torch.empty(op.shape(x.shape, *map(_shape_of, weights)), device="meta")
        dtype = dtype_of(op, x)
        call = Ready(run, tuple(like.shape), like.stride(), dtype, like.numel() * dtype.itemsize >= torch_results.LEAST)
    if len(_calls) >= _MOST:
        _calls.clear()
    _calls[key] = call
    return call


def _layout(x: Tensor) -> Layout:
    kind = _KINDS[x.dtype]
    return Layout(kind, tuple(x.shape), tuple(kind.itemsize * step for step in x.stride()))


def dtype_of(op: Operator, x: Tensor) -> torch.dtype:
    """The dtype of ``op``'s result."""
    return counterpart(x) if op.is_complex != x.is_complex() else x.dtype


class Spectral(NamedTuple):
    """Everything about an STFT or its inverse but the signal."""

    engine: Any
    window: Tensor
    framing: Framing
    scale: float = 1.0
    onesided: bool = True
    kept: bool = False
    """Torch keeps the audio for the backward pass: it must not have changed by then."""

    @property
    def bins(self) -> int:
        """Bins of a spectrum."""
        return bins_of(self.framing.n_fft, self.onesided)

    @property
    def stft(self) -> Stft:
        """The transform."""
        return _stft(self.framing, self.scale, self.onesided)

    def istft(self, length: int) -> Istft:
        """The inverse, of ``length`` samples."""
        # a compiler's unknown length is no key
        make = _istft if type(length) is int else Istft
        return make(self.framing, length, self.scale, self.onesided)

    def swapped(self, y: Tensor, x: Tensor) -> Tensor:
        """What was made of audio ``x``, ``y [..., N, values]``, as torch has it in memory: ``[..., values, N]``.

        A single frame of several signals may have all leading axes in one.
        """
        if transformed():
            y = y.transpose(-1, -2)
            # of signals that torch.func.vmap has it take one by one, torch lays results side by side
            return y.contiguous() if torch._C._functorch.is_batchedtensor(y) else y
        if y.shape[-2] == 1 and y.dim() > 2:
            framing, rows = self.framing, x.reshape(-1, x.shape[-1])
            signal, frame = rows.stride(0), framing.hop_length * rows.stride(1)
            if framing.left:
                signal, frame = framing.left + rows.shape[1] + framing.right, framing.hop_length
            if len(rows) > 1 and frame > signal:  # torch has frames outermost
                y = y.reshape(1, len(rows), y.shape[-1]).transpose(0, 1)
        return transposed(y)


def transposed(y: Tensor) -> Tensor:
    """A new result with its last two axes swapped."""
    # in place as torch does it: a program may detach the result, or change it, in place, and not a view
    return y.transpose(-1, -2) if y._is_view() else y.transpose_(-1, -2)


# to find a value that was made takes less than to make it again
_stft, _istft = functools.lru_cache(256)(Stft), functools.lru_cache(256)(Istft)
