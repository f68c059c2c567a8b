"""How host kernels are compiled, and where compiled code is kept from one process to the next."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import llvmlite.binding as llvm
import numba
import platformdirs
from numba.core import caching, config

from mlx_spectro import logarithms

logger = logging.getLogger("mlx_spectro")

# contract: a product and a sum may become one instruction; anything more would let NaN and infinity get lost
OPTIONS: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy", "fastmath": {"contract", "nsz"}}


def _key() -> str:
    """A hash of all that compiled code depends on: numba itself looks at one source file alone."""
    parts = [sys.version, numba.__version__, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    parts += [str(config.CPU_NAME), str(config.CPU_FEATURES)]  # type: ignore[attr-defined]
    digest = hashlib.sha256("\n".join(parts).encode())
    # the kernels, and the numbers that are compiled into them
    for source in (*sorted(Path(__file__).parent.glob("*.py")), Path(logarithms.__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:20]


@functools.cache
def cache_folder() -> Path | None:
    """Where compiled code is kept: a folder that only we can write to. None where there is none."""
    folder = Path(platformdirs.user_cache_dir("mlx-spectro")) / "host-kernels" / _key()
    if not _make(folder):
        logger.info("host kernels are compiled anew in every process: %s is not ours to write to", folder)
        return None
    return folder


def _make(folder: Path) -> bool:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        return False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    # loading compiled code that somebody else could have written would be running it
    others = stat.S_IWGRP | stat.S_IWOTH
    ours = not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & others)
    return ours and os.access(folder, os.W_OK)


class _Locator(caching._CacheLocator):
    """Tells numba to keep a function's compiled code in :func:`cache_folder`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._line = function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return "the folder's name stands for the sources"

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, function: Callable[..., Any], _file: str) -> _Locator | None:
        return None if cache_folder() is None else cls(function)


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes: ClassVar[list[Any]] = [_Locator]  # type: ignore[misc]


class _Cache(caching.FunctionCache):
    _impl_class = _Implementation

    def load_overload(self, signature: Any, target: Any) -> Any:
        found = super().load_overload(signature, target)  # type: ignore[no-untyped-call]
        if found is None:
            _say_once()
        return found


@functools.cache
def _say_once() -> None:
    """Say what takes so long; aloud where nothing was compiled before, as on a new machine or of a new version."""
    folder = cache_folder()
    level = logging.WARNING if folder is not None and not has_compiled(folder) else logging.INFO
    logger.log(
        level,
        "mlx_spectro is compiling host kernels, which takes some seconds, once for this version and processor. They "
        "are kept in %s; where that folder lasts (say, in an image built by running a program once), later runs load "
        "them",
        folder,
    )


def has_compiled(folder: Path) -> bool:
    """Whether compiled code lies in ``folder``."""
    return next(folder.glob("*.nbc"), None) is not None


def kernel(function: Callable[..., Any]) -> Any:
    """Compile ``function``, which Python code calls, and keep what comes of it."""
    compiled = numba.njit(**OPTIONS)(function)
    if cache_folder() is not None:
        compiled._cache = _Cache(function)  # type: ignore[no-untyped-call]
    return compiled


def inner(function: Callable[..., Any]) -> Any:
    """Compile ``function``, which only compiled code calls."""
    return numba.njit(**OPTIONS)(function)
