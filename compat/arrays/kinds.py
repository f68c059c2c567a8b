"""Arrays of torch, NumPy and MLX: told apart, shared where memory can be shared, and put back as they came."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import mlx.core as mx
    import torch

# libraries whose arrays are NumPy's
OF_NUMPY = frozenset({"librosa", "transformers"})


def is_tensor(x: Any) -> bool:
    """Whether ``x`` is a torch tensor; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def is_mlx(x: Any) -> bool:
    """Whether ``x`` is an MLX array; MLX is not imported to find out."""
    core = sys.modules.get("mlx.core")
    return core is not None and isinstance(x, core.array)


def is_plain(x: Any) -> bool:
    """Whether ``x`` is a NumPy array and nothing more, as the subclasses are that mask or name values."""
    return type(x) in (np.ndarray, np.memmap)


def to_numpy(x: Any) -> npt.NDArray[Any]:
    """``x`` as a NumPy array, sharing its memory where that lies on the host.

    NumPy has no bfloat16; float32 has all its values.
    """
    if is_tensor(x):
        return memory_of(x.float() if _is_bfloat16(x) else x)
    if is_mlx(x):
        return np.array(x.astype(sys.modules["mlx.core"].float32) if _is_bfloat16(x) else x, copy=False)
    return np.asarray(x)


class _Memory:
    """What NumPy is told of a tensor's memory, and the tensor, which keeps that alive."""

    __slots__ = "__array_interface__", "tensor"

    __array_interface__: dict[str, Any]
    tensor: torch.Tensor


@functools.cache
def _type_of(dtype: torch.dtype) -> str:
    return np.dtype(str(dtype).removeprefix("torch.")).str


def memory_of(x: torch.Tensor) -> npt.NDArray[Any]:
    """A tensor's own memory as a NumPy array (a copy where it lies on a device, or is a lazy conjugate or negative).

    After :meth:`torch.Tensor.numpy`, torch would not resize the tensor any more.
    """
    if not x.is_cpu or x.is_conj() or x.is_neg():
        return x.numpy(force=True)
    if not x.numel():
        return np.empty(x.shape, _type_of(x.dtype))
    memory = _Memory()
    memory.tensor = x.detach() if x.requires_grad else x
    memory.__array_interface__ = {
        "version": 3,
        "shape": x.shape,
        "strides": None if x.is_contiguous() else tuple(x.element_size() * stride for stride in x.stride()),
        "typestr": _type_of(x.dtype),
        "data": (x.data_ptr(), False),
    }
    return np.asarray(memory)


def _is_bfloat16(x: Any) -> bool:
    """Whether a tensor or an MLX array is of that type."""
    return bool(x.dtype == sys.modules["torch" if is_tensor(x) else "mlx.core"].bfloat16)


def describe(x: Any) -> str:
    """``float32[2, 16000]`` for an array, its representation for anything else."""
    if is_tensor(x) or is_mlx(x) or isinstance(x, np.ndarray):
        dtype = str(x.dtype).rpartition(".")[2]
        kind = "" if isinstance(x, np.ndarray) else f"{type(x).__module__.partition('.')[0]} "
        return f"{kind}{dtype}{list(x.shape)}"
    if isinstance(x, (tuple, list)):
        return f"{type(x).__name__} of {len(x)}"
    return repr(x)


def to_torch(x: npt.NDArray[Any] | mx.array) -> torch.Tensor:
    """``x`` as a tensor, sharing its memory where torch can."""
    import torch

    y = to_numpy(x)
    if not y.flags.writeable or any(stride < 0 for stride in y.strides):
        y = y.copy()
    tensor = torch.from_numpy(y)
    return tensor.bfloat16() if is_mlx(x) and _is_bfloat16(x) else tensor


def to_mlx(x: Any) -> mx.array:
    """``x`` as an MLX array with a value; an MLX array as it is."""
    import mlx.core as mx

    result = mx.array(to_numpy(x))
    if is_tensor(x) and _is_bfloat16(x):
        result = result.astype(mx.bfloat16)
    mx.eval(result)
    return result


def each_array(x: Any, convert: Callable[[Any], Any]) -> Any:
    """``x`` with ``convert`` of the tensors and NumPy arrays in it, which tuples, lists and dictionaries may hold."""
    if isinstance(x, dict):
        return {key: each_array(value, convert) for key, value in x.items()}
    if type(x) in (tuple, list):
        return type(x)(each_array(value, convert) for value in x)
    return convert(x) if is_tensor(x) or isinstance(x, np.ndarray) else x


def each_part(x: Any, convert: Callable[[Any], Any]) -> Any:
    """``convert`` of ``x``, or of each part of a tuple or list; None stays None."""
    if isinstance(x, (tuple, list)):
        return type(x)(each_part(part, convert) for part in x)
    return None if x is None else convert(x)


def in_double(x: Any) -> Any:
    """An array in double precision; what is not of floating-point numbers as it is."""
    if is_tensor(x):
        return x.double() if x.is_floating_point() else x.cdouble() if x.is_complex() else x
    return x.astype(np.result_type(x, np.float64)) if x.dtype.kind in "fc" else x


def precision(x: Any) -> float:
    """Distance from 1 to the next number of an array's dtype; 0 for what is no floating-point number."""
    dtype = to_numpy(x[..., :0] if x.ndim else x).dtype
    return float(np.finfo(dtype).eps) if dtype.kind in "fc" else 0.0


def with_own_out(kwargs: dict[str, Any]) -> dict[str, Any]:
    """A call's ``kwargs`` with a copy of the memory that it is to write to, ``out``."""
    out = kwargs.get("out")
    if out is None:
        return kwargs
    return {**kwargs, "out": out.clone() if is_tensor(out) else out.copy()}


def is_capturing() -> bool:
    """Whether torch is recording a CUDA graph here, which nothing may wait in."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def settle() -> None:
    """Wait for torch's GPUs, so that the time of a call of theirs is known."""
    for device in _cuda_devices():
        sys.modules["torch"].cuda.synchronize(device)
    for _ in _mps_devices():
        sys.modules["torch"].mps.synchronize()


def _cuda_devices() -> range:
    """torch's devices, if it has begun to use any, and while they may be waited for."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized() or is_capturing():
        return range(0)
    return range(torch.cuda.device_count())


def _mps_devices() -> range:
    """The same on a Mac, which has one."""
    torch = sys.modules.get("torch")
    return range(torch is not None and torch.backends.mps.is_available())


@contextlib.contextmanager
def undisturbed(library: str, gradients: bool = False) -> Iterator[None]:
    """Leave the program's random numbers as they are, whatever runs inside, without gradients unless asked for."""
    if library in OF_NUMPY:
        state = np.random.get_state()  # noqa: NPY002 - the global state is what a program may depend on
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002
        return
    import torch

    of_mps = torch.random.fork_rng(_mps_devices(), device_type="mps")
    # a program's own functions for what is kept for a backward pass, as torch.utils.checkpoint's, count what they get
    unseen = torch.autograd.graph.saved_tensors_hooks(_same, _same)
    wanted = torch.set_grad_enabled(gradients and torch.is_grad_enabled())
    with torch.random.fork_rng(_cuda_devices()), of_mps, unseen, wanted:
        yield


def _same(x: torch.Tensor) -> torch.Tensor:
    return x
