"""A saved call, run again."""

from __future__ import annotations

import importlib
import json
import sys
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from .. import dispatch
from ..contract import records, settings
from ..contract.adapter import adapters
from ..contract.function import Function
from . import report
from .reproduction import LIBRARIES


def replay(path: Path) -> int:
    """Verify a saved call and print what came of it; 1 where it breaches its limit."""
    function, args, kwargs = load(path)
    begin = time.perf_counter()
    with (
        records.apart(), settings.numerics("verify"), settings.route("ours"), settings.on_breach("warn"),
        warnings.catch_warnings(),
    ):  # fmt: skip
        warnings.simplefilter("ignore", RuntimeWarning)
        dispatch.call(function, args, kwargs)
        run = report.Run(str(path), records.report(), time.perf_counter() - begin, verified=True)
    run.show(sys.stdout)
    return 1 if run.breaches else 0


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
        if module.partition(".")[0] not in LIBRARIES:
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
