"""Arrays of torch, NumPy and MLX: told apart, shared where memory can be shared, and put back as they came."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import mlx.core as mx
    import torch


def is_tensor(x: Any) -> bool:
    """Whether ``x`` is a torch tensor; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def is_mlx(x: Any) -> bool:
    """Whether ``x`` is an MLX array; MLX is not imported to find out."""
    core = sys.modules.get("mlx.core")
    return core is not None and isinstance(x, core.array)


def to_numpy(x: Any) -> npt.NDArray[Any]:
    """``x`` as a NumPy array, sharing its memory where that lies on the host."""
    if is_tensor(x):
        return x.detach().cpu().resolve_conj().resolve_neg().numpy()  # type: ignore[no-any-return]
    if is_mlx(x):
        return np.array(x, copy=False)
    return np.asarray(x)


def describe(x: Any) -> str:
    """``float32[2, 16000]`` for an array, its representation for anything else."""
    if is_tensor(x) or is_mlx(x) or isinstance(x, np.ndarray):
        dtype = str(x.dtype).rpartition(".")[2]
        kind = "" if isinstance(x, np.ndarray) else f"{type(x).__module__.partition('.')[0]} "
        return f"{kind}{dtype}{list(x.shape)}"
    if isinstance(x, (tuple, list)):
        return f"{type(x).__name__} of {len(x)}"
    return repr(x)


class Foreign(NamedTuple):
    """A call whose arrays are of another kind than its library's own."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    back: Callable[[Any], Any]

    def call(self, function: Callable[..., Any]) -> Any:
        """Call ``function`` with its library's arrays and return the kind that came."""
        return _each(function(*self.args, **self.kwargs), self.back)


def foreign(library: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Foreign | None:
    """The call rewritten for ``library``, if its first array is of another kind."""
    given = (*args, *kwargs.values())
    first = next((x for x in given if is_tensor(x) or is_mlx(x) or isinstance(x, np.ndarray)), None)
    if library == "librosa":
        if isinstance(first, np.ndarray) or first is None:
            return None
        mlx = next((x for x in (*args, *kwargs.values()) if is_mlx(x)), None)
        return None if mlx is None else _rewritten(args, kwargs, to_numpy, _to_mlx)
    if is_tensor(first):
        return None
    if is_mlx(first):
        return _rewritten(args, kwargs, _to_torch, lambda y: _to_mlx(to_numpy(y)))
    if isinstance(first, np.ndarray):
        return _rewritten(args, kwargs, _to_torch, to_numpy)
    return None


def _rewritten(
    args: tuple[Any, ...], kwargs: dict[str, Any], into: Callable[[Any], Any], back: Callable[[Any], Any]
) -> Foreign:
    def convert(x: Any) -> Any:
        return into(x) if is_mlx(x) or isinstance(x, np.ndarray) else x

    return Foreign(tuple(map(convert, args)), {k: convert(v) for k, v in kwargs.items()}, back)


def _each(x: Any, back: Callable[[Any], Any]) -> Any:
    if isinstance(x, (tuple, list)):
        return type(x)(_each(part, back) for part in x)
    return back(x) if is_tensor(x) or isinstance(x, np.ndarray) else x


def _to_torch(x: npt.NDArray[Any] | mx.array) -> torch.Tensor:
    import torch

    y = to_numpy(x)
    if not y.flags.writeable or any(stride < 0 for stride in y.strides):
        y = y.copy()
    return torch.from_numpy(y)


def _to_mlx(x: Any) -> mx.array:
    import mlx.core as mx

    result = mx.array(x)
    mx.eval(result)
    return result


def with_own_out(kwargs: dict[str, Any]) -> dict[str, Any]:
    """A call's ``kwargs`` with a copy of the memory that it is to write to, ``out``."""
    out = kwargs.get("out")
    if out is None:
        return kwargs
    return {**kwargs, "out": out.clone() if is_tensor(out) else out.copy()}


@contextlib.contextmanager
def undisturbed(library: str) -> Iterator[None]:
    """Leave the program's random numbers and gradients as they are, whatever runs inside."""
    if library == "librosa":
        state = np.random.get_state()  # noqa: NPY002 - the global state is what a program may depend on
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002
        return
    import torch

    with torch.random.fork_rng(devices=()), torch.no_grad():
        yield
