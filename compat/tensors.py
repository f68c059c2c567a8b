"""torch tensors: which of them we can serve, and the STFT and its inverse as differentiable functions of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext

from mlx_spectro import backend, envelope
from mlx_spectro.geometry import overlap_length

from .engines import engine

_PLAIN = (Tensor, torch.nn.Parameter)
_DTYPES = {
    torch.float32: ("float32", torch.complex64),
    torch.float64: ("float64", torch.complex128),
    torch.complex64: ("float32", torch.float32),
    torch.complex128: ("float64", torch.float64),
}


compiling = torch.compiler.is_compiling


def traced() -> str:
    """Why torch has to see the call itself: it is tracing or transforming the program. Empty where it is not."""
    if torch._C._get_tracing_state() is not None:
        return "torch is tracing"
    if torch._C._functorch.maybe_current_level() is not None:
        return "inside a torch.func transform"
    if torch._C._len_torch_dispatch_stack():
        return "a torch dispatch mode is active"
    if torch._C._is_torch_function_mode_enabled() and not all(
        isinstance(mode, DeviceContext) for mode in _get_current_function_mode_stack()
    ):
        return "a torch function mode is active"
    return ""


def unfit(tensor: Tensor) -> str:
    """Why ``tensor`` cannot be served; empty where it can."""
    if type(tensor) not in _PLAIN:
        return f"{type(tensor).__name__} is not a plain tensor"
    if not (tensor.is_cpu or tensor.is_mps):
        return "MLX cannot share CUDA memory" if tensor.is_cuda else f"device {tensor.device.type}"
    if tensor.is_mps and not (backend.has_mlx() and backend.preferred() == "gpu"):
        return "MLX's default device is not the GPU"
    if tensor.layout is not torch.strided:
        return f"layout {tensor.layout}"
    if tensor.dtype not in _DTYPES:
        return f"dtype {str(tensor.dtype).removeprefix('torch.')}"
    if forward_ad._current_level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None:
        return "a forward-mode dual"
    return ""


def to_host(tensor: Tensor) -> npt.NDArray[Any]:
    """``tensor``'s own memory as a NumPy array (a copy where it is a lazy conjugate or negative)."""
    return tensor.detach().resolve_conj().resolve_neg().numpy()


class Spectral(NamedTuple):
    """Everything about an STFT or its inverse but the signal."""

    engine: Any
    window: Tensor
    hop_length: int
    left: int
    right: int = 0
    pad_mode: str = "constant"
    scale: float = 1.0
    onesided: bool = True

    @property
    def bins(self) -> int:
        """Bins of a spectrum."""
        return len(self.window) // 2 + 1 if self.onesided else len(self.window)

    def stft(self, x: Tensor) -> Tensor:
        """Spectrum ``[..., N, F]`` of audio ``[..., T]``."""
        frames = 1 + (self.left + x.shape[-1] + self.right - len(self.window)) // self.hop_length
        return self._run("stft", x, (*x.shape[:-1], frames, self.bins), self._padding())

    def stft_adjoint(self, g: Tensor, length: int) -> Tensor:
        """Transpose of :meth:`stft`, for audio of ``length`` samples."""
        return self._run("stft_adjoint", g, (*g.shape[:-2], length), {**self._padding(), "length": length})

    def istft(self, z: Tensor, length: int) -> Tensor:
        """Audio ``[..., length]`` of a spectrum ``[..., N, F]``."""
        return self._run("istft", z, (*z.shape[:-2], length), {**self._cut(), "length": length})

    def istft_adjoint(self, g: Tensor, frames: int) -> Tensor:
        """Transpose of :meth:`istft`, for a spectrum of ``frames`` frames."""
        return self._run("istft_adjoint", g, (*g.shape[:-1], frames, self.bins), {**self._cut(), "frames": frames})

    def _run(self, name: str, x: Tensor, shape: tuple[int, ...], options: dict[str, Any]) -> Tensor:
        if x.is_mps:
            from . import via_mlx

            return via_mlx.on_metal(name, x, self.window, **options)
        out = torch.empty(shape, dtype=_DTYPES[x.dtype][1], device="cpu")
        getattr(self.engine, name)(to_host(x), to_host(self.window), out=out.numpy(), **options)
        return out

    def _cut(self) -> dict[str, Any]:
        return {"hop_length": self.hop_length, "left": self.left, "scale": self.scale, "onesided": self.onesided}

    def _padding(self) -> dict[str, Any]:
        return {**self._cut(), "right": self.right, "pad_mode": self.pad_mode}


class _Linear(torch.autograd.Function):
    """A method of :class:`Spectral` as a linear function: its gradient is its transpose, which is one too."""

    @staticmethod
    def forward(x: Tensor, spectral: Spectral, name: str, size: int) -> Tensor:
        transform = getattr(spectral, name)
        result: Tensor = transform(x) if name == "stft" else transform(x, size)
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Spectral, str, int], output: Tensor) -> None:
        x, ctx.spectral, ctx.name, _ = inputs
        # the size that the transpose has to restore
        ctx.size = x.shape[-2] if x.is_complex() else x.shape[-1]
        # kept by torch, so that a window changed in place before the backward pass is an error, as it is in torch
        ctx.save_for_backward(ctx.spectral.window)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (window,) = ctx.saved_tensors
        spectral = ctx.spectral._replace(window=window)
        transpose = {"stft": "stft_adjoint", "istft": "istft_adjoint"}.get(ctx.name, ctx.name.removesuffix("_adjoint"))
        if traced() or unfit(g) or torch._C._functorch.is_legacy_batchedtensor(g):
            return _by_torch(spectral, transpose, g, ctx.size), None, None, None
        return _applied(g, spectral, transpose, ctx.size), None, None, None


def _applied(x: Tensor, spectral: Spectral, name: str, size: int) -> Tensor:
    result: Tensor = _Linear.apply(x, spectral, name, size)  # type: ignore[no-untyped-call]
    return result


def _by_torch(spectral: Spectral, name: str, x: Tensor, size: int) -> Tensor:
    """A method of :class:`Spectral` in torch's own operations, for what only torch can see into."""
    n_fft, hop = len(spectral.window), spectral.hop_length
    window = spectral.window * spectral.scale
    lead = x.shape[: -2 if x.is_complex() else -1]
    if name == "stft":
        mode = spectral.pad_mode
        padded = torch.nn.functional.pad(x.reshape(1, -1, x.shape[-1]), (spectral.left, spectral.right), mode)
        frames = padded.reshape(*lead, -1).unfold(-1, n_fft, hop) * window
        spectrum: Tensor = torch.fft.rfft(frames) if spectral.onesided else torch.fft.fft(frames)
        return spectrum
    if name == "istft":
        frames = torch.fft.irfft(x[..., : n_fft // 2 + 1], n=n_fft) * window
        total = overlap_length(frames.shape[-2], n_fft, hop)
        index = torch.arange(total).unfold(0, n_fft, hop)
        summed = frames.new_zeros(*lead, total).index_put((..., index), frames, accumulate=True)
        samples = to_host(spectral.window.cpu())
        inverse = envelope.inverse_envelope(samples, hop, frames.shape[-2], spectral.left, size)
        y: Tensor = summed[..., spectral.left : spectral.left + size] * torch.from_numpy(inverse).to(summed.dtype)
        return y
    # the transpose of a linear function is its gradient anywhere
    forward = name.removesuffix("_adjoint")
    shape = (*lead, size) if forward == "stft" else (*lead, size, spectral.bins)
    with torch.enable_grad():
        at = torch.zeros(shape, dtype=_DTYPES[x.dtype][1], requires_grad=True)
        there = _by_torch(spectral, forward, at, x.shape[-1])
        (gradient,) = torch.autograd.grad(there, at, x, create_graph=x.requires_grad)
    return gradient


def stft(x: Tensor, spectral: Spectral) -> Tensor:
    """Spectrum ``[..., N, F]`` of audio ``[..., T]``, differentiable with respect to the audio."""
    if x.requires_grad and torch.is_grad_enabled():
        return _applied(x, spectral, "stft", 0)
    return spectral.stft(x)


def istft(z: Tensor, spectral: Spectral, length: int) -> Tensor:
    """Audio ``[..., length]`` of a spectrum ``[..., N, F]``, differentiable with respect to the spectrum."""
    if z.requires_grad and torch.is_grad_enabled():
        return _applied(z, spectral, "istft", length)
    return spectral.istft(z, length)


def centred_window(window: Tensor | None, win_length: int, n_fft: int, like: Tensor) -> Tensor:
    """``window`` (rectangular where there is none) in the middle of ``n_fft`` samples."""
    dtype = like.dtype if like.is_floating_point() else _DTYPES[like.dtype][1]
    if window is None:
        window = torch.ones(win_length, dtype=dtype, device=like.device)
    if win_length == n_fft:
        return window
    left = (n_fft - win_length) // 2
    return torch.nn.functional.pad(window, (left, n_fft - win_length - left))


def engine_for(x: Tensor) -> Any:
    """The engine for ``x``; a string says why there is none."""
    dtype = _DTYPES[x.dtype][0]
    if x.is_mps:
        return None if dtype == "float32" else f"MLX does not transform {dtype}"
    return engine(dtype)
