"""A call saved as a file of arrays, to be run again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlx_spectro import interrupts

from ..arrays import kinds
from ..contract import records
from ..contract.function import Function

# where breaches are saved; None saves none
folder: Path | None = None
_MOST_BYTES = 1 << 26
# the attributes of a module that its results depend on, beside its public ones
_MODULE_STATE = ("training", "_parameters", "_buffers", "_modules")
# whose functions, types and modules a saved call may name
LIBRARIES = ("builtins", "numpy", "scipy", "torch", "torchaudio", "librosa")


class UnsavableError(TypeError):
    """An argument that a file of arrays cannot hold."""


def save(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Save a call in :data:`folder`; the file's name, or why there is none."""
    if folder is None:
        return ""
    arrays: dict[str, npt.NDArray[Any]] = {}
    try:
        call = {"function": function.name, "args": _encoded(args, arrays), "kwargs": _encoded(kwargs, arrays)}
    except UnsavableError as error:
        return f"not saved: {error}"
    size = sum(array.nbytes for array in arrays.values())
    if size > _MOST_BYTES:
        return f"not saved: {size >> 20} MiB of arguments"
    file, line = records.call_site()
    path = folder / f"{function.name}-{Path(file).stem}-{line}.npz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, call=np.array(json.dumps(call)), **arrays)  # type: ignore[arg-type]
        return os.path.relpath(path)
    except OSError as error:
        if interrupts.by_handler(error):
            raise
        return f"not saved: {error}"


def _encoded(x: Any, arrays: dict[str, npt.NDArray[Any]]) -> Any:
    """``x`` for JSON; its arrays go into ``arrays``."""
    if x is None or type(x) in (bool, int, float, str):
        return x
    if kinds.is_tensor(x) or isinstance(x, (np.ndarray, np.generic)):
        name = f"array{len(arrays)}"
        arrays[name] = kinds.to_numpy(x)
        return {"torch" if kinds.is_tensor(x) else "numpy": name}
    if isinstance(x, complex):
        return {"complex": [x.real, x.imag]}
    if isinstance(x, (tuple, list)):
        return {type(x).__name__: [_encoded(part, arrays) for part in x]}
    if isinstance(x, dict):
        return {"dict": {key: _encoded(value, arrays) for key, value in x.items()}}
    kind = next((kind for kind in type(x).__mro__ if kind.__module__.startswith("torchaudio.transforms")), None)
    if kind is not None:
        state = {name: value for name, value in vars(x).items() if name in _MODULE_STATE or name[0] != "_"}
        return {"module": kind.__name__, "state": _encoded(state, arrays)}
    if str(type(x)) == "<class 'torch.dtype'>":
        return {"name": str(x).split(".")}
    name = getattr(x, "__qualname__", getattr(x, "__name__", "."))
    if "." not in name and (getattr(x, "__module__", None) or "").partition(".")[0] in LIBRARIES:
        return {"name": [x.__module__, name]}
    raise UnsavableError(f"an argument is {kinds.describe(x)}")
