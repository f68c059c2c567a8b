"""What a call asks of an STFT or its inverse; declined where we cannot serve it as torch does."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlx_spectro.design import envelope
from mlx_spectro.design.framing import Framing, overlap_length
from mlx_spectro.design.operators import Istft, bins_of

from ..contract import settings
from ..contract.decline import Decline
from ..contract.plans import Run
from ..contract.reasons import REJECTED, BySize, unread
from . import torch_autograd, torch_library, torch_ops, torch_tensors
from .torch_ops import Spectral
from .torch_options import integer, truth

_PAD_MODES = ("reflect", "constant", "replicate", "circular")
# torch sums an envelope in single precision
ROUNDING = 1e-4


def check_tensor(x: Any, whole: bool = False) -> None:
    """Decline a call that cannot be served whatever else it asks for, seeing where it happens and its tensor.

    Args:
        whole: Whether the tensor is to hold whole numbers.
    """
    if not isinstance(x, Tensor):
        raise Decline(f"a {type(x).__name__} is no plain tensor: plain tensors and parameters are served")
    torch_tensors.check_visible()
    if torch._C._is_any_autocast_enabled():
        raise Decline("inside torch.autocast, which chooses the dtypes")
    torch_tensors.check_kind(x, whole)


def check_pays(x: Tensor, count: int, fewest: int, what: str) -> None:
    """Leave to the library what it computes as fast: on the CPU, calls of few of what takes the time."""
    asked = settings.route.get() == "ours" or settings.device.get() == "gpu"
    if count < fewest and x.is_cpu and not (asked or torch_tensors.transformed()):
        raise Decline(BySize(f"the library is as fast for fewer than {fewest} {what}; route('ours') has us serve them"))


def check_other(name: str, value: Any) -> None:
    """Decline an argument that is no tensor, or of a kind that cannot be served, beside the call's own."""
    if not isinstance(value, Tensor):
        raise Decline(unread(name, value))
    try:
        torch_tensors.check_kind(value)
    except Decline as decline:
        raise Decline(f"{name}: {decline}") from None


def check_weights(name: str, weights: Any, dtype: torch.dtype, like: Tensor) -> None:
    """Decline weights (a window, a filterbank) that a transform of ``like`` cannot use."""
    check_other(name, weights)
    if torch_tensors.gradient_wanted(weights):
        raise Decline(f"the {name} requires a gradient, which torch computes: detach it if it is not trained")
    if weights.dtype != dtype:
        raise Decline(f"the {name} is {_short(weights.dtype)} and not {_short(dtype)}, as the signal needs it")
    if weights.device != like.device:
        raise Decline(REJECTED)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _lengths(n_fft: Any, hop_length: Any, win_length: Any) -> tuple[int, int, int]:
    """The three with torch's defaults."""
    # a compiler's unknown number becomes a known one
    n_fft = int(integer("n_fft", n_fft))
    hop_length = n_fft // 4 if hop_length is None else int(integer("hop_length", hop_length))
    win_length = n_fft if win_length is None else int(integer("win_length", win_length))
    if not (hop_length > 0 and 0 < win_length <= n_fft):
        raise Decline(REJECTED)
    return n_fft, hop_length, win_length


def _centred_window(window: Tensor | None, win_length: int, n_fft: int, dtype: torch.dtype, like: Tensor) -> Tensor:
    """``window`` (rectangular where there is none) in the middle of ``n_fft`` samples."""
    if window is None:
        window = torch.ones(win_length, dtype=dtype, device=like.device)
    elif window.shape != (win_length,):
        raise Decline(REJECTED)
    if win_length == n_fft:
        return window
    left = (n_fft - win_length) // 2
    return torch.nn.functional.pad(window, (left, n_fft - win_length - left))


class Analysis(NamedTuple):
    """The STFT that a call asks for, of any audio and window of their kinds."""

    engine: Any
    framing: Framing
    win_length: int
    onesided: bool
    kept: bool

    def of(self, x: Tensor, window: Tensor | None) -> Spectral:
        """That of ``x [..., T]``; declined where shapes do not fit."""
        length, framing = x.shape[-1], self.framing
        if not x.numel():
            raise Decline("the signal is empty")
        samples = _centred_window(window, self.win_length, framing.n_fft, x.dtype, x)
        if framing.refusal(length) or not framing.frames(length):
            raise Decline(REJECTED)
        if not (framing.left or x.dim() < 2 or x.is_contiguous()):
            rows = x.reshape(-1, length)
            if len(rows) > 1 and rows.stride(0) < framing.hop_length * rows.stride(1):
                raise Decline(
                    "the signals overlap in memory, and torch lays their spectra out alike: x.contiguous() is served"
                )
        return Spectral(self.engine, samples, framing, 1.0, self.onesided, self.kept)


def analysis(
    x: Any, n_fft: Any, hop_length: Any, win_length: Any, window: Any, center: Any, pad_mode: Any, onesided: Any
) -> Analysis:
    """The STFT of audio like ``x [..., T]``."""
    check_tensor(x)
    if not x.is_floating_point():
        raise Decline("the signal is complex: real signals are served")
    if not x.dim():
        raise Decline("the signal is empty")
    n_fft, hop_length, win_length = _lengths(n_fft, hop_length, win_length)
    if window is not None:
        check_weights("window", window, x.dtype, x)
    if not (onesided is None or type(onesided) is bool):
        raise Decline(unread("onesided", onesided))
    centred = truth("center", center)
    pad = n_fft // 2 if centred else 0
    if not centred:
        pad_mode = "constant"  # which is not read
    elif not isinstance(pad_mode, str):
        raise Decline(unread("pad_mode", pad_mode))
    elif pad_mode not in _PAD_MODES:
        raise Decline(REJECTED)
    engine = torch_tensors.engine_for(x, n_fft, double=True)
    # of torch's operations, two pads keep what they extend, and a transform that no window precedes its frames
    kept = pad_mode in ("reflect", "replicate") or (window is None and win_length == n_fft and not centred)
    return Analysis(engine, Framing(n_fft, hop_length, pad, pad, pad_mode), win_length, onesided is not False, kept)


def smallest_envelope(
    window: Tensor | None, win_length: int, centred: Tensor, hop: int, frames: int, left: int, total: int
) -> float:
    """The smallest value that the overlap of a window, ``centred`` in its frame, is divided by."""
    n_fft = centred.numel()

    def of(values: npt.NDArray[Any]) -> float:
        before = (n_fft - win_length) // 2
        padded = np.pad(values, (before, n_fft - win_length - before))
        return envelope.smallest(padded, hop, frames, left, total)

    if centred.is_cpu:
        return envelope.smallest(np.ascontiguousarray(torch_tensors.to_host(centred)), hop, frames, left, total)
    if window is None:
        return of(np.ones(win_length, np.float32))
    from . import torch_launch

    value: float = torch_launch.of_weight("window", window, _overlap(n_fft, hop, left, frames, total), of)
    return value


def _overlap(n_fft: int, hop: int, left: int, frames: int, total: int) -> Hashable:
    """What the smallest value of a window's overlap on a GPU is known by."""
    return "overlap", n_fft, hop, left, frames, total


def _has_nan(window: Tensor | None) -> bool:
    return window is not None and window.is_cpu and bool(window.isnan().any())


class Synthesis(NamedTuple):
    """The inverse STFT that a call asks for, of any spectrum and window of their kinds."""

    engine: Any
    framing: Framing
    win_length: int
    onesided: bool | None
    length: int | None

    def of(self, z: Tensor, window: Tensor | None) -> tuple[Spectral, int]:
        """That of ``z [..., F, N]``, and how many samples it results in; declined where shapes or values do not fit."""
        n_fft, hop_length, left = self.framing.n_fft, self.framing.hop_length, self.framing.left
        bins, frames = z.shape[-2:]
        onesided = bins != n_fft if self.onesided is None else self.onesided
        if not z.numel() or bins != bins_of(n_fft, onesided):
            raise Decline(REJECTED)
        covered = overlap_length(frames, n_fft, hop_length)
        total = covered - 2 * left if self.length is None else self.length
        if left + total > covered:
            raise Decline("length asks for more samples than the frames cover")
        if total < 1:
            raise Decline("length is negative" if total < 0 and self.length is not None else REJECTED)
        samples = _centred_window(window, self.win_length, n_fft, torch_tensors.counterpart(z), z)
        if torch_tensors.transformed():  # the window's values are looked at when there are any
            samples = torch_library.with_overlap(samples, hop_length, frames, left, total)
            return Spectral(self.engine, samples, self.framing, onesided=onesided), total
        smallest = smallest_envelope(window, self.win_length, samples, hop_length, frames, left, total)
        if smallest < (1 - ROUNDING) * envelope.FLOOR:
            raise Decline("the window has NaN, which torch does not refuse" if _has_nan(window) else REJECTED)
        if smallest < (1 + ROUNDING) * envelope.FLOOR:
            raise Decline("the windows overlap to next to nothing somewhere, where torch may refuse")
        return Spectral(self.engine, samples, self.framing, onesided=onesided), total

    def ready(self, y: Tensor, run: Run, scale: float, z: Tensor, window: Tensor) -> Run | None:
        """What computes the inverse ``y`` of spectra that lie like ``z``, for as long as the window has these values.

        Others may overlap to nothing: ``run`` sees to them.
        """
        if z.shape[-2] != bins_of(self.framing.n_fft, True):
            return None
        op = Istft(self.framing, y.shape[-1], scale)
        if y.requires_grad:
            call = torch_autograd.ready_transform(self.engine, op, window)
        else:
            call = torch_ops.ready(y, self.engine, op, z.transpose(-1, -2), window, turned=True)
        overlap = _overlap(*self.framing[:3], z.shape[-1], y.shape[-1])
        return call and torch_ops.while_equal(call, run, window, overlap)


def synthesis(
    z: Any, n_fft: Any, hop_length: Any, win_length: Any, window: Any, center: bool, onesided: Any, length: Any
) -> Synthesis:
    """The inverse STFT of a spectrum like ``z [..., F, N]``."""
    check_tensor(z)
    n_fft, hop_length, win_length = _lengths(n_fft, hop_length, win_length)
    if n_fft == 1:
        raise Decline("n_fft is 1")
    if not (z.is_complex() and z.dim() > 1 and hop_length <= win_length):
        raise Decline(REJECTED)
    if not (onesided is None or type(onesided) is bool):
        raise Decline(unread("onesided", onesided))
    if window is not None:
        check_weights("window", window, torch_tensors.counterpart(z), z)
    engine = torch_tensors.engine_for(z, n_fft, double=True)
    samples = None if length is None else integer("length", length)
    return Synthesis(engine, Framing(n_fft, hop_length, n_fft // 2 if center else 0), win_length, onesided, samples)
