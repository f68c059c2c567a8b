"""The operations of torchaudio's extension, ``torch.ops.torchaudio``, which scripted files call by name."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from . import functional

# a library is there for as long as what it defines
_library = torch.library.Library("torchaudio", "FRAGMENT")
_FEEDBACK = 0.995
_Function = TypeVar("_Function", bound=Callable[..., Any])


def _is_defined(name: str) -> bool:
    """Whether torch knows an operation: an extension of which only a part loads may have defined it."""
    return bool(torch._C._jit_get_schemas_for_operator(f"torchaudio::{name}"))


def _operation(schema: str) -> Callable[[_Function], _Function]:
    """Have torch know a function as an operation, unless it does."""

    def define(function: _Function) -> _Function:
        name = schema.partition("(")[0]
        if not _is_defined(name):
            _library.define(schema)
            _library.impl(name, torch.no_grad()(function), "CompositeExplicitAutograd")
        return function

    return define


def _filtered(x: Tensor, a: Tensor) -> Tensor:
    """``x [batch, filters, T]`` by the recursions of ``a [filters, order + 1]``, of which the first are 1."""
    b = torch.zeros_like(a)
    b[:, 0] = 1
    # by the name under which something faster may stand
    y: Tensor = functional.lfilter(x.contiguous(), a, b, clamp=False)
    return y


@_operation(
    "_lfilter_core_loop(Tensor input_signal_windows, Tensor a_coeff_flipped, Tensor(a!) padded_output_waveform) "
    "-> Tensor(a!)"
)
def _lfilter_core_loop(x: Tensor, flipped: Tensor, padded: Tensor) -> Tensor:
    """Write the recursion of ``x [batch, filters, T]`` after as many earlier outputs as it has taps."""
    order = flipped.shape[1] - 1
    a = flipped.flip(1)
    a[:, 0] = 1
    if order and x.shape[-1]:
        # what earlier outputs are still heard of
        earlier = torch.nn.functional.pad(padded[..., :order], (0, order))
        heard = torch.nn.functional.conv1d(earlier, a.flip(1).unsqueeze(1), groups=a.shape[0])
        x = x.clone()
        x[..., :order] -= heard[..., : min(order, x.shape[-1])]
    padded[..., order:] = _filtered(x, a)
    return padded


@_operation(
    "_overdrive_core_loop(Tensor waveform, Tensor temp, Tensor(a!) last_in, Tensor(b!) last_out, "
    "Tensor(c!) output_waveform) -> (Tensor(a!), Tensor(b!), Tensor(c!))"
)
def _overdrive_core_loop(
    waveform: Tensor, temp: Tensor, last_in: Tensor, last_out: Tensor, output_waveform: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Write what is left of distorted signals ``temp [channels, T]`` without their means, and half of ``waveform``."""
    if temp.shape[-1]:
        changes = torch.diff(temp, dim=-1, prepend=last_in.unsqueeze(-1))
        changes[:, 0] += _FEEDBACK * last_out
        a = torch.tensor([[1.0, -_FEEDBACK]], dtype=temp.dtype, device=temp.device)
        varying = _filtered(changes.unsqueeze(1), a).squeeze(1)
        output_waveform.copy_(waveform * 0.5 + varying * 0.75)
        last_in.copy_(temp[:, -1])
        last_out.copy_(varying[:, -1])
    return last_in, last_out, output_waveform


@_operation(
    "forced_align(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, int blank) "
    "-> (Tensor, Tensor)"
)
def _forced_align(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int
) -> tuple[Tensor, Tensor]:
    """Paths, and the log probabilities of all classes, of which a program takes those of the paths."""
    paths, _ = functional.forced_align(log_probs, targets, input_lengths, target_lengths, blank)
    return paths, log_probs.clone()


@_operation(
    "rnnt_loss_forward(Tensor logits, Tensor targets, Tensor logit_lengths, Tensor target_lengths, int blank, "
    "float clamp, bool fused_log_softmax) -> (Tensor, Tensor)"
)
def _rnnt_loss_forward(
    logits: Tensor,
    targets: Tensor,
    logit_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    clamp: float,
    fused_log_softmax: bool,
) -> tuple[Tensor, Tensor]:
    """What there is none of here, which is said where it is called."""
    loss = functional.rnnt_loss(logits, targets, logit_lengths, target_lengths, blank, clamp, "none", fused_log_softmax)
    return loss, torch.empty(0)
