"""Programs that torch compiles, exports, traces and transforms."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from mlx_spectro import compat
from mlx_spectro.compat import torch as ours
from mlx_spectro.compat import torchaudio as our_audio

from .cases import MEL
from .check import DEVICE, check, noise

# relative to the largest value: the same kernels, and what torch makes of sums, logarithms and products around them
_ROUNDING = 1e-5


class _RoundTrip(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(512))

    def forward(self, x: Tensor) -> Tensor:
        z = ours.stft(x, 512, 128, window=self.window, return_complex=True)
        return ours.istft(z, 512, 128, window=self.window, length=x.shape[-1])  # type: ignore[no-any-return]


def _modules() -> dict[str, Any]:
    transforms = our_audio.transforms
    modules = {
        "round trip": _RoundTrip(),
        "powers": transforms.Spectrogram(400),
        "mel": transforms.MelSpectrogram(16000, **MEL),
        "MFCC": transforms.MFCC(16000, 40, melkwargs=MEL),
    }
    return {name: module.to(DEVICE) for name, module in modules.items()}


def _loss(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return function(x).square().mean()


def _call(module: Any, x: Tensor, buffers: dict[str, Tensor]) -> Any:
    return functional_call(module, buffers, (x,))


def _gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    at = x.clone().requires_grad_()
    return torch.autograd.grad(_loss(function, at), at)[0]


def _check_close(mine: Tensor, eager: Tensor, what: str) -> None:
    assert (mine.shape, mine.dtype, mine.device) == (eager.shape, eager.dtype, eager.device), what
    away = float((mine - eager).abs().max() / eager.abs().max())
    assert away <= _ROUNDING, (what, away)


def _check_nothing_was_left() -> None:
    left = {(record.function, record.reason) for record in compat.report() if record.reason}
    assert not left, left


def _operators(graph: Any) -> int:
    return sum(str(node.target).startswith("mlx_spectro.apply") for node in graph.graph.nodes)


@check
def compiled_programs() -> None:
    x, longer = noise(2, 9001), noise(2, 12345)
    for name, module in _modules().items():
        for backend, dynamic in (("aot_eager", True), ("inductor", False)):
            torch.compiler.reset()
            compiled: Any = torch.compile(module, backend=backend, dynamic=dynamic, fullgraph=True)
            for signal in (x, longer) if dynamic else (x,):
                _check_close(compiled(signal), module(signal), f"{name}, {backend}")
            _check_close(_gradient(compiled, x), _gradient(module, x), f"gradient of {name}, {backend}")
    torch.compiler.reset()
    _check_nothing_was_left()


@check
def exported_and_traced_programs() -> None:
    x, longer = noise(2, 9001), noise(2, 12345)
    for name, module in _modules().items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, of itself
            program = torch.export.export(module, (x,), dynamic_shapes=({1: torch.export.Dim.DYNAMIC},))
            file = io.BytesIO()
            torch.export.save(program, file)
            file.seek(0)
            again = torch.export.load(file).module()
        assert _operators(program), name
        _check_close(again(longer), module(longer), f"{name}, exported")
        buffers = dict(module.named_buffers())
        for mode in ("real", "symbolic"):
            graph = make_fx(partial(_call, module), tracing_mode=mode)(x, buffers)
            assert _operators(graph), name
            _check_close(graph(x, buffers), module(x), f"{name}, traced")
    _check_nothing_was_left()


@check
def transformed_programs() -> None:
    several = noise(3, 2, 9001)
    for name, module in _modules().items():
        expected = torch.stack([module(x) for x in several])
        _check_close(vmap(module)(several), expected, f"{name}, vmap")
        gradients = torch.stack([_gradient(module, x) for x in several])
        _check_close(vmap(grad(partial(_loss, module)))(several), gradients, f"{name}, vmap of grad")
    _check_nothing_was_left()
