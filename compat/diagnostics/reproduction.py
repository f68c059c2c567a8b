"""A call as a file of arrays, from which it can be run again."""

from __future__ import annotations

import importlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlx_spectro import interrupts

from ..arrays import kinds
from ..contract import records
from ..contract.adapter import LIBRARIES, adapters
from ..contract.function import Function

# where breaches are saved; None saves none
folder: Path | None = None
_MOST_BYTES = 1 << 26
# the attributes of a module that its results depend on, beside its public ones
_MODULE_STATE = ("training", "_parameters", "_buffers", "_modules")
# whose functions, types and modules a saved call may name
_LIBRARIES = ("builtins", "numpy", "scipy", *LIBRARIES)


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
    if "." not in name and (getattr(x, "__module__", None) or "").partition(".")[0] in _LIBRARIES:
        return {"name": [x.__module__, name]}
    raise UnsavableError(f"an argument is {kinds.describe(x)}")


def unreadable(path: Path) -> str:
    """Why ``path`` cannot be run again; empty where it can."""
    if not zipfile.is_zipfile(path) or "call.npy" not in zipfile.ZipFile(path).namelist():
        return "this is not a call that verify saved"
    return ""


def load(path: Path) -> tuple[Function, tuple[Any, ...], dict[str, Any]]:
    """The function and the arguments of a saved call."""
    with np.load(path, allow_pickle=False) as arrays:
        call = json.loads(str(arrays["call"]))
        library = call["function"].partition(".")[0]
        importlib.import_module(f"..{library}", __package__)
        return adapters[call["function"]].function, _decoded(call["args"], arrays), _decoded(call["kwargs"], arrays)


def _decoded(x: Any, arrays: Any) -> Any:
    if not isinstance(x, dict):
        return x
    if "module" in x:
        return _module(x["module"], _decoded(x["state"], arrays))
    (kind, value), *_ = x.items()
    if kind == "numpy":
        return arrays[value][()] if not arrays[value].ndim else arrays[value]
    if kind == "torch":
        import torch

        return torch.from_numpy(arrays[value])
    if kind == "complex":
        return complex(*value)
    if kind == "name":
        module, name = value
        if module.partition(".")[0] not in _LIBRARIES:
            raise ValueError(f"a saved call may not name {module}.{name}")
        return getattr(importlib.import_module(module), name)
    if kind == "dict":
        return {key: _decoded(part, arrays) for key, part in value.items()}
    return {"tuple": tuple, "list": list}[kind](_decoded(part, arrays) for part in value)


def _module(name: str, state: dict[str, Any]) -> Any:
    """One of torchaudio's transforms, as it was."""
    import torch
    from torchaudio import transforms

    module = getattr(transforms, name).__new__(getattr(transforms, name))
    torch.nn.Module.__init__(module)
    for key, value in state.items():
        if key in ("_parameters", "_buffers", "_modules"):
            vars(module)[key].update(value)
        else:
            setattr(module, key, value)
    return module
