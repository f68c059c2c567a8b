"""torch.stft and torch.istft."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import Stft

from ..arrays import kinds, torch_autograd, torch_ops, torch_tensors
from ..arrays.torch_adapter import adapter
from ..arrays.torch_arguments import analysis, synthesis
from ..arrays.torch_tensors import compiling, gradient_wanted
from ..contract import settings, tolerances
from ..contract.decline import Decline
from ..contract.function import Work
from ..contract.lines import at_callers_line
from ..contract.plans import Planned
from ..contract.reasons import REJECTED, ByDesign, BySize, unread


def _by_torch(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` of torch, which warns in the name of the program's line."""
    there = at_callers_line(function)

    def call(*args: Any, **kwargs: Any) -> Any:
        # a compiler is to see torch's own
        return (function if compiling() else there)(*args, **kwargs)

    return call


_stft, _own_istft = _by_torch(torch.stft), _by_torch(torch.istft)


def _istft(*args: Any, **kwargs: Any) -> Any:
    """torch's own, which what sees to torch's functions sees as the one that torch shows, as it sees torch.stft."""
    given = (*args, *kwargs.values())
    if not compiling() and has_torch_function(given):
        return handle_torch_function(torch.istft, given, *args, **kwargs)
    return _own_istft(*args, **kwargs)


# what torch says once a process, and has been made to say
_said: set[Any] = set()


def _made_to_warn(what: Any, call: Callable[[], Any]) -> None:
    """Have torch warn of ``what`` in a small call, if it still would in the one that we serve."""
    if what in _said and not torch.is_warn_always_enabled():
        return
    _said.add(what)
    call()


def _small_stft(without_window: bool, complex_result: bool) -> None:
    x = torch.ones(1, dtype=torch.float32, device="cpu")
    _stft(x, 1, 1, window=None if without_window else x, center=False, return_complex=complex_result)


def _small_istft() -> None:
    _istft(torch.ones(1, 1, dtype=torch.complex64, device="cpu"), 1, 1, center=False)


def _check_is_heard() -> None:
    """Decline what torch warns of, where the small call that has it do so would be part of a traced program."""
    if torch_tensors.transformed():
        raise Decline("torch warns of the call, and traces or transforms the program")


# On CUDA, torch's own STFT of fewer samples than these takes the time that Python takes to call it. On an H200, ours of
# a shape that comes again takes 0.6 times as long, and the first of a shape twice as long.
_FEW_ON_CUDA = 4_000_000


class _Shapes:
    """Which shapes of few samples are ours: all, in a program whose shapes come again.

    One whose every signal has another length would pay for a first call each time. Once decided, a shape stays whose it
    is, so that a signal's spectrum is the same to the last bit whenever it is asked for.
    """

    # shapes that have come once and not again, and all that are remembered
    _MOST_ONCE, _MOST = 8, 4096

    def __init__(self) -> None:
        # by shape, how often it came while it was ours; 0 for torch's
        self._times: dict[Hashable, int] = {}
        self._once = 0

    def has(self, shape: Hashable) -> bool:
        """Whether a shape that comes now is ours."""
        times = self._times.get(shape)
        if times is None:
            if len(self._times) >= self._MOST:
                return False
            times = self._times[shape] = 0 if self._once >= self._MOST_ONCE else 1
            self._once += times
        elif times == 1:
            self._times[shape] = 2
            self._once -= 1
        return times > 0


_shapes = _Shapes()


def _check_size(x: Tensor, framing: Framing) -> None:
    """Leave to torch what it transforms faster than we would plan it; in a graph's capture, no planning is timed."""
    few = x.numel() < _FEW_ON_CUDA and settings.route.get() == "auto" and not gradient_wanted(x)
    if few and not _shapes.has((x.device, x.shape, framing)) and not kinds.is_capturing():
        raise Decline(
            BySize(
                "torch's STFT of so few samples is faster than ours of ever new shapes; route('ours') has us serve it"
            )
        )


# on a CPU, torch's compiler makes faster code of fewer values' transforms, or of fewer whose gradient is asked for:
# measured by the time of one thread
_FEW_COMPILED = {"stft": (131_072, 32_768), "istft": (262_144, 65_536)}


def _check_pays_compiled(name: str, x: Any) -> None:
    """Leave to torch what its compiler makes faster code of."""
    if not (isinstance(x, Tensor) and torch_tensors.transformed() and settings.route.get() == "auto"):
        return
    few, few_in_training = _FEW_COMPILED[name]
    if x.is_cpu and torch_tensors.likely_size(x) < (few_in_training if gradient_wanted(x) else few):
        raise Decline(ByDesign("torch compiles transforms of so few samples to faster code; route('ours') keeps ours"))


@adapter("torch.stft", tolerances.spectrum, theirs=_stft, traceable=True)
def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Work:
    """torch.stft. Same arguments, same defaults.

    Real audio is ours; complex audio and ``align_to_window`` are torch's.
    """
    if torch_tensors.for_compiler.get():
        _check_pays_compiled("stft", input)
    planned = analysis(input, n_fft, hop_length, win_length, window, center, pad_mode, onesided)
    if type(normalized) is not bool:
        raise Decline(unread("normalized", normalized))
    if align_to_window is not None:
        raise Decline("align_to_window is given")
    if input.dim() > 2 or return_complex is None:
        raise Decline(REJECTED)
    if type(return_complex) is not bool:
        raise Decline(unread("return_complex", return_complex))
    if window is None or not return_complex:
        _check_is_heard()
    scale = planned.framing.n_fft**-0.5 if normalized else 1.0

    def work(input: Tensor, window: Tensor | None) -> Tensor:
        if input.is_cuda and not torch_tensors.transformed():
            _check_size(input, planned.framing)
        transform = planned.of(input, window)
        if scale != 1.0:
            transform = transform._replace(scale=scale)
        z = transform.swapped(torch_autograd.stft(input, transform), input)
        if window is None or not return_complex:
            what = window is None, return_complex
            _made_to_warn(what, lambda: _small_stft(*what))
        return z if return_complex else torch.view_as_real(z)

    def ready(z: Tensor, input: Tensor, window: Tensor | None) -> Any:
        if window is None or not return_complex:
            return None
        op = Stft(planned.framing, scale, planned.onesided)
        if z.requires_grad:
            # torch lays other spectra out in another way than by frames
            by_frames = input.is_contiguous() and (z.shape[-1] > 1 or z.dim() == 2)
            return torch_autograd.ready_transform(planned.engine, op, window, planned.kept) if by_frames else None
        return torch_ops.ready(z, planned.engine, op, input, window, swapped=True)

    return Planned(work, (input, window), ready)


@adapter("torch.istft", tolerances.spectrum, theirs=_istft, traceable=True)
def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Work:
    """torch.istft. Same arguments, same defaults.

    Real signals are ours; ``return_complex=True`` is torch's.
    """
    for name, option in (("center", center), ("normalized", normalized), ("return_complex", return_complex)):
        if type(option) is not bool:
            raise Decline(unread(name, option))
    if return_complex:
        raise Decline("return_complex=True asks for a complex signal: real signals are served")
    if window is None:
        _check_is_heard()
    if torch_tensors.for_compiler.get():
        _check_pays_compiled("istft", input)
    planned = synthesis(input, n_fft, hop_length, win_length, window, center, onesided, length)
    if input.dim() > 3:
        raise Decline(REJECTED)
    scale = planned.framing.n_fft**0.5 if normalized else 1.0

    def work(input: Tensor, window: Tensor | None) -> Tensor:
        transform, samples = planned.of(input, window)
        if scale != 1.0:
            transform = transform._replace(scale=scale)
        y = torch_autograd.istft(input.transpose(-1, -2), transform, samples)
        if window is None:
            _made_to_warn("istft", _small_istft)
        return y

    def ready(y: Tensor, input: Tensor, window: Tensor | None) -> Any:
        return None if window is None else planned.ready(y, work, scale, input, window)

    return Planned(work, (input, window), ready)


# a scripted program calls the operator that torch.istft is
torch.jit._builtins._register_builtin(istft, "aten::istft")
