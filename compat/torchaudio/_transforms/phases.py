"""TimeStretch, PitchShift and GriffinLim of torchaudio.transforms: each torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy
from torchaudio import transforms as theirs
from torchaudio.functional import functional as parts

from ...arrays.torch_adapter import adapter
from ...arrays.torch_tensors import compiling, gradient_wanted
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.lines import at_callers_line_where
from ...contract.reasons import REJECTED
from .._functional import griffinlim, phase_vocoder
from .._functional.resample import by_module
from .._modules import Twin

# of NumPy's arrays
_DTYPES = {"float64": torch.float64}
_resampled = parts._apply_sinc_resample_kernel


class _OfKernel(torch.autograd.Function):
    """Resampled audio as a function of the kernel, whose gradient torchaudio's own operations give."""

    @staticmethod
    def forward(kernel: Tensor, y: Tensor, ours: Any, theirs: Any) -> Tensor:
        result: Tensor = ours(y)
        # a view that a function of autograd's returns may not be changed in place
        return result.detach()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        kernel, y, _, ctx.theirs = inputs
        ctx.save_for_backward(kernel, y)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        kernel, y = ctx.saved_tensors
        again = torch.is_grad_enabled()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(ctx.theirs(y, kernel), kernel, g, create_graph=again)
        return gradient, None, None, None


def _of_real_numbers(*args: Any, **kwargs: Any) -> bool:
    """Whether torchaudio warns of the line that calls the module."""
    return not compiling() and any(isinstance(x, Tensor) and not x.is_complex() for x in (*args, *kwargs.values()))


# it looks behind what torch calls a module by
_stretched = at_callers_line_where(_of_real_numbers, theirs.TimeStretch.forward, levels=3)


@adapter("torchaudio.transforms.TimeStretch", tolerances.phases, order=phase_vocoder.order, theirs=_stretched)
class TimeStretch(Twin, theirs.TimeStretch):
    """torchaudio.transforms.TimeStretch. Same arguments, same defaults.

    The attributes are read at each call.
    """

    def forward(self, complex_specgrams: Tensor, overriding_rate: float | None = None) -> Work:
        rate = self.fixed_rate if overriding_rate is None else overriding_rate
        if rate is None:
            raise Decline(REJECTED)
        if not (isinstance(complex_specgrams, Tensor) and complex_specgrams.is_complex()):
            raise Decline("the spectrum is not complex, of which torchaudio warns")
        return phase_vocoder.phase_vocoder.plan(complex_specgrams, rate, self.phase_advance)


@adapter("torchaudio.transforms.PitchShift", tolerances.phases, order=phase_vocoder.order_of_shift)
class PitchShift(Twin, theirs.PitchShift):
    """torchaudio.transforms.PitchShift. Same arguments, same defaults.

    Stretched by us; the kernel that it is resampled with is the module's own, read at each call.
    """

    def initialize_parameters(self, input: Any) -> None:
        """Make the kernel for arrays of another library as for torch's."""
        like = (
            input if isinstance(input, Tensor) else torch.empty(0, dtype=_DTYPES.get(str(input.dtype), torch.float32))
        )
        super().initialize_parameters(like)

    def forward(self, waveform: Tensor) -> Work:
        options = self.bins_per_octave, self.n_fft, self.win_length, self.hop_length, self.window
        stretched = phase_vocoder.shift(waveform, self.n_steps, *options)
        orig, new, common, reach = self.orig_freq, self.sample_rate, self.gcd, getattr(self, "width", 0)
        if orig == new:
            return lambda: stretched.resampled(lambda y: y, waveform.shape)
        kernel = self.kernel
        if is_lazy(kernel) or kernel.dtype != waveform.dtype or kernel.device != waveform.device:
            raise Decline("the module has no kernel yet, or one of another dtype or device")
        resampler = SimpleNamespace(orig_freq=orig, new_freq=new, gcd=common, kernel=kernel, width=reach)

        def theirs(y: Tensor, kernel: Tensor) -> Tensor:
            result: Tensor = _resampled(y, orig, new, common, kernel, reach)
            return result

        def ours(y: Tensor) -> Tensor:
            try:
                result: Tensor = by_module(resampler, y)()
            except Decline:
                result = theirs(y, kernel)
            return result

        def resampled(y: Tensor) -> Tensor:
            if not gradient_wanted(kernel):
                return ours(y)
            result: Tensor = _OfKernel.apply(kernel, y, ours, theirs)  # type: ignore[no-untyped-call]
            return result

        return lambda: stretched.resampled(resampled, waveform.shape)


@adapter("torchaudio.transforms.GriffinLim", tolerances.iterated, order=griffinlim.iterations)
class GriffinLim(Twin, theirs.GriffinLim):
    """torchaudio.transforms.GriffinLim. Same arguments, same defaults.

    The attributes are read at each call.
    """

    def forward(self, specgram: Tensor) -> Work:
        framing: tuple[Any, ...] = self.window, self.n_fft, self.hop_length, self.win_length
        options = self.power, self.n_iter, self.momentum, self.length, self.rand_init
        return griffinlim.griffinlim.plan(specgram, *framing, *options)
