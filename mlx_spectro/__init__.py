"""STFT, mel and spectral features on Apple MLX."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from . import distribution
from .kernels import cpu
from .kernels.cpu import get_num_threads, set_num_threads  # noqa: F401 - of all public names, these need no MLX
from .ops import backend

if not (backend.has_mlx() or cpu.available() or backend.has_torch_with_cuda()):
    raise ImportError(backend.MISSING)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name == "__all__":
        return sorted(_public())
    if name not in _public():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _public()[name]
    if _is_compat(home):
        return getattr(importlib.import_module(f".{home}", __name__), name)
    # MLX is imported when the first of these names is used: the adapters may not need it, and it may not start
    if not backend.has_mlx():
        raise ImportError(f"{name} needs MLX. {backend.MISSING}")
    # all at once: what one module keeps, get_cache_debug_stats of another shows
    for public, module in _public().items():
        if not _is_compat(module):
            globals()[public] = getattr(importlib.import_module(f".{module}", __name__), public)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *_public(), "__all__", "__version__"})


def _is_compat(module: str) -> bool:
    return module.partition(".")[0] == "compat"


@functools.cache
def _public() -> dict[str, str]:
    """The module of every public name, as the stub beside this file has it for type checkers."""
    import ast
    from pathlib import Path

    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [line for line in stub.body if isinstance(line, ast.ImportFrom)]
    return {name.name: str(line.module) for line in imports for name in line.names}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution.NAME)
    except PackageNotFoundError:
        raise AttributeError(f"{__name__} has no __version__: {distribution.NAME} is not installed") from None
