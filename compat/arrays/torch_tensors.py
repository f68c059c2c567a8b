"""torch tensors: which of them we can serve, and who computes with them."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack
from torch.utils._device import DeviceContext
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from mlx_spectro import distribution, interrupts
from mlx_spectro.kernels.cpu.runtime import threads
from mlx_spectro.ops import backend

from ..contract.decline import Decline
from ..contract.reasons import FREED, ByDesign
from .kinds import memory_of
from .placement import by_mlx, engine

PLAIN = (Tensor, torch.nn.Parameter)
_DTYPES = {
    torch.float32: ("float32", torch.complex64),
    torch.float64: ("float64", torch.complex128),
    torch.complex64: ("float32", torch.float32),
    torch.complex128: ("float64", torch.float64),
}
_WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)

# whether a tensor's axes have names, of which newer versions of torch know nothing
has_names: Callable[[Tensor], bool] = getattr(Tensor, "has_names", lambda _: False)

# a program that holds torch to a few threads, as its data loaders do, means its transforms
threads.follow(torch.get_num_threads)

# where a program keeps what is for a backward pass by functions of its own; torch.utils.checkpoint's raise an exception
interrupts.hooks.append(lambda: torch._C._autograd._top_saved_tensors_default_hooks(False) or ())

compiling = torch.compiler.is_dynamo_compiling
# whether a compiler plans the present call, to make fast code of what becomes of it
for_compiler: ContextVar[bool] = ContextVar("mlx_spectro_for_compiler", default=False)

# of what torch traces a program with: its tensors, and the modes that see to its functions
_TRACERS_TENSORS = ("torch._subclasses.fake_tensor", "torch._subclasses.functional_tensor")
_TRACERS = ("torch._export", "torch.export", "torch.fx")


def transformed() -> bool:
    """Whether torch traces or transforms what happens here, other than by a mode for its functions."""
    return torch._C._functorch.maybe_current_level() is not None or torch._C._len_torch_dispatch_stack() > 0


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


def check_visible() -> None:
    """Decline where torch has to see a call itself, and no operator of ours in its place.

    What compiles, exports, vectorizes or differentiates backwards takes our operators as it takes torch's own.
    """
    if not transformed() or torch._C._get_tracing_state() is not None:
        return check_untraced()
    kinds = torch._C._functorch.TransformType
    at_work = {transform.key() for transform in torch._C._functorch.get_interpreter_stack() or ()}
    if kinds.Jvp in at_work:
        raise Decline("inside a forward-mode transform (torch.func.jvp, jacfwd, hessian), which torch computes")
    if kinds.Functionalize in at_work:
        raise Decline("inside torch.func.functionalize, which has to see torch's own operations")
    if not all(mode.is_infra_mode() for mode in _get_current_dispatch_mode_stack()):
        raise Decline("a torch dispatch mode (a counter of operations) has to see torch's own operations")
    if not all(_is_tracer(mode) for mode in _get_current_function_mode_stack()):
        raise Decline("a torch function mode is active and has to see torch's own calls")
    return None


def _is_tracer(mode: TorchFunctionMode) -> bool:
    return isinstance(mode, DeviceContext) or type(mode).__module__.startswith(_TRACERS)


def _is_plain(tensor: Tensor) -> bool:
    kind = type(tensor)
    return kind in PLAIN or (kind.__module__ in _TRACERS_TENSORS and transformed())


def check_kind(tensor: Tensor, whole: bool = False) -> None:
    """Decline a tensor of a kind that cannot be served; of ``whole`` numbers, if that is asked for."""
    if not _is_plain(tensor):
        raise Decline(
            f"a {type(tensor).__name__} is a subclass of torch.Tensor: plain tensors and parameters are served"
        )
    if not (tensor.is_cpu or tensor.is_cuda or tensor.is_mps):
        raise Decline(f"the tensor lies on device {tensor.device.type}")
    if tensor.layout is not torch.strided or tensor.is_nested:
        layout = "nested" if tensor.is_nested else tensor.layout
        raise Decline(f"the tensor's layout is {layout}: strided tensors are served")
    if has_names(tensor):
        raise Decline("the tensor's axes have names, which torch's operations see to")
    if tensor.dtype not in (_WHOLE if whole else _DTYPES):
        served = "whole numbers" if whole else "single and double precision"
        raise Decline(f"the tensor is {str(tensor.dtype).removeprefix('torch.')}: {served} are served")
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
    return memory_of(tensor)


def counterpart(x: Tensor) -> torch.dtype:
    """The dtype on the other side of a Fourier transform: complex for a real tensor, real for a complex one."""
    return _DTYPES[x.dtype][1]


def gradient_wanted(x: Tensor) -> bool:
    """Whether torch records what becomes of ``x``."""
    return x.requires_grad and torch.is_grad_enabled()


def likely_size(x: Tensor) -> int:
    """How many values ``x`` has, or a compiler's first example of it, without having the program depend on that."""
    size: Any = x.numel()
    return size if type(size) is int else size.node.hint or 0


def engine_for(x: Tensor, n_fft: int | None = None, *, double: bool = False) -> Any:
    """The engine for ``x``, in frames of ``n_fft`` samples if any; where there is none, the call is declined.

    Where torch traces or transforms the program, that is an operator, which computes where there is an engine for it.

    Args:
        double: What is asked of it can be computed in double precision on CUDA, too.
    """
    if not transformed():
        return present_engine(x, n_fft, double=double)
    if not (x.is_cpu or torch.get_device_module(x.device).is_available()):
        raise Decline(f"there is no {x.device.type} device here, where the program is traced")
    present_engine(x, n_fft, double=double)
    from . import torch_library

    return torch_library.apply


def present_engine(x: Tensor, n_fft: int | None = None, *, double: bool = False) -> Any:
    """The engine that computes with the values of ``x``; where there is none, the call is declined."""
    dtype = _DTYPES[x.dtype][0]
    if x.is_cpu:
        return engine(dtype, n_fft)
    if dtype != "float32":
        if not (double and x.is_cuda):
            raise Decline(f"on {'MPS' if x.is_mps else 'CUDA'}, our kernels compute in float32, not in {dtype}")
        if n_fft is not None and n_fft % 2:
            raise Decline(ByDesign("in double precision on CUDA, torch's transforms of odd lengths err less"))
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
