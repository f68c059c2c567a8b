"""torch tensors: which of them we can serve, and who computes with them."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext

from mlx_spectro import distribution
from mlx_spectro.kernels.cpu.runtime import threads
from mlx_spectro.ops import backend

from ..contract.decline import Decline
from .placement import by_mlx, engine

PLAIN = (Tensor, torch.nn.Parameter)
_DTYPES = {
    torch.float32: ("float32", torch.complex64),
    torch.float64: ("float64", torch.complex128),
    torch.complex64: ("float32", torch.float32),
    torch.complex128: ("float64", torch.float64),
}

FREED = "a tensor's memory has been freed"

# a program that holds torch to a few threads, as its data loaders do, means its transforms
threads.follow(torch.get_num_threads)

compiling = torch.compiler.is_compiling


def check_untraced() -> None:
    """Decline where torch has to see the call itself: it is tracing or transforming the program."""
    if torch._C._get_tracing_state() is not None:
        raise Decline("torch is tracing the program (torch.jit, an export) and has to see its own operations")
    if torch._C._functorch.maybe_current_level() is not None:
        raise Decline("inside a torch.func transform (grad, vmap, jvp), which has to see torch's own operations")
    if torch._C._len_torch_dispatch_stack():
        raise Decline("a torch dispatch mode (fake tensors, a counter of operations) has to see torch's own operations")
    if torch._C._is_torch_function_mode_enabled() and not all(
        isinstance(mode, DeviceContext) for mode in _get_current_function_mode_stack()
    ):
        raise Decline("a torch function mode is active and has to see torch's own calls")


def check_kind(tensor: Tensor) -> None:
    """Decline a tensor of a kind that cannot be served."""
    if type(tensor) not in PLAIN:
        raise Decline(
            f"a {type(tensor).__name__} is a subclass of torch.Tensor: plain tensors and parameters are served"
        )
    if not (tensor.is_cpu or tensor.is_cuda or tensor.is_mps):
        raise Decline(f"the tensor lies on device {tensor.device.type}")
    if tensor.layout is not torch.strided:
        raise Decline(f"the tensor's layout is {tensor.layout}: strided tensors are served")
    if tensor.dtype not in _DTYPES:
        raise Decline(
            f"the tensor is {str(tensor.dtype).removeprefix('torch.')}: single and double precision are served"
        )
    if forward_ad._current_level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None:
        raise Decline("the tensor carries a forward-mode derivative, which torch computes")


def serves(tensor: Tensor) -> bool:
    """Whether a tensor of this kind can be served here, outside planning."""
    try:
        check_untraced()
        check_kind(tensor)
    except Decline:
        return False
    return True


def to_host(tensor: Tensor) -> npt.NDArray[Any]:
    """``tensor``'s own memory as a NumPy array (a copy where it is a lazy conjugate or negative)."""
    if not tensor.data_ptr() and tensor.numel():
        raise Decline(FREED)
    return tensor.numpy(force=True)


def counterpart(x: Tensor) -> torch.dtype:
    """The dtype on the other side of a Fourier transform: complex for a real tensor, real for a complex one."""
    return _DTYPES[x.dtype][1]


def gradient_wanted(x: Tensor) -> bool:
    """Whether torch records what becomes of ``x``."""
    return x.requires_grad and torch.is_grad_enabled()


def engine_for(x: Tensor, n_fft: int | None = None) -> Any:
    """The engine for ``x``, in frames of ``n_fft`` samples if any; where there is none, the call is declined."""
    dtype = _DTYPES[x.dtype][0]
    if x.is_cpu:
        return engine(dtype, n_fft)
    if dtype != "float32":
        raise Decline(f"on {'MPS' if x.is_mps else 'CUDA'}, our kernels compute in float32, not in {dtype}")
    if x.is_mps:
        from . import torch_mps

        return torch_mps.launcher()
    from . import torch_cuda

    return torch_cuda.launcher(x)


def mlx_for(x: Tensor) -> Any:
    """MLX's operations for ``x``; where there are none, the call is declined."""
    if _DTYPES[x.dtype][0] != "float32":
        raise Decline(f"MLX computes this function, and not in {_DTYPES[x.dtype][0]}: float32 is served")
    if not x.is_cpu:
        raise Decline(f"MLX computes this function, and no {'MPS' if x.is_mps else 'CUDA'} tensors")
    if not (backend.has_mlx() and backend.mlx_survived()):
        raise Decline(
            f"MLX computes this function, and is not installed or was used before a fork: {distribution.install('cpu')}"
        )
    return by_mlx()
