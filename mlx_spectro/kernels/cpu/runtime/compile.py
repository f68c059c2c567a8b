"""How host kernels are compiled, and where compiled code is kept from one process to the next."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import llvmlite.binding as llvm
import numba
from numba.core import caching, config
from numba.core.compiler_lock import global_compiler_lock
from numba.core.runtime.nrt import rtsys
from numba.extending import register_jitable

from mlx_spectro import caches, interrupts
from mlx_spectro.design import logarithms

from . import background, loading

logger = logging.getLogger("mlx_spectro")

OPTIONS: dict[str, Any] = {
    "nogil": True,
    "boundscheck": False,
    "error_model": "numpy",
    # contract: a product and a sum may become one instruction; anything more would let NaN and infinity get lost
    "fastmath": {"contract", "nsz"},
    # wrappers for callers in C, and those for callers in Python, take as long to compile as a small function
    "no_cfunc_wrapper": True,
}

loading.watch(global_compiler_lock._lock)


def _key() -> str:
    """A hash of all that compiled code depends on: numba itself looks at one source file alone.

    See "Caching Limitations" in https://numba.readthedocs.io/en/stable/developer/caching.html.
    """
    parts = [sys.version, numba.__version__, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    parts += [str(config.CPU_NAME), str(config.CPU_FEATURES)]  # type: ignore[attr-defined]
    digest = hashlib.sha256("\n".join(parts).encode())
    # the kernels, and the numbers that are compiled into them
    for source in (*sorted(Path(__file__).parent.parent.rglob("*.py")), Path(logarithms.__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:20]


@functools.cache
def cache_folder() -> Path | None:
    """Where compiled code is kept: a folder that nobody but us can write to. None where there is none."""
    ours = caches.folder()
    if ours is None:
        _say_not_kept("there is no home folder to keep it in")
        return None
    try:
        folder = ours / "host-kernels" / _key()
        caches.make_private(folder)
    except OSError as error:
        if interrupts.by_handler(error):
            raise
        _say_not_kept(error)
        return None
    return folder


_said = False


def _say_not_kept(problem: str | Exception) -> None:
    global _said
    if not _said:
        _said = True
        logger.warning("compiled host kernels are not kept, every process compiles them anew: %s", problem)


@functools.cache
def _say_once() -> None:
    """Say what takes so long; aloud where nothing was compiled before, as on a new machine or of a new version."""
    folder = cache_folder()
    if folder is None:
        logger.info("mlx_spectro is compiling host kernels, which takes some seconds")
        return
    logger.log(
        logging.INFO if has_compiled(folder) else logging.WARNING,
        "mlx_spectro is compiling host kernels, which takes some seconds, once for this version and processor. They "
        "are kept in %s; where that folder lasts (say, in an image made with 'mlx-spectro warm'), later runs load them",
        folder,
    )


def has_compiled(folder: Path) -> bool:
    """Whether compiled code lies in ``folder``."""
    return next(folder.glob("*.nbc"), None) is not None


class _Locator(caching._CacheLocator):
    """Tells numba to keep a function's compiled code in :func:`cache_folder`."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._line, self._folder = function.__code__.co_firstlineno, folder

    def ensure_cache_path(self) -> None:
        # it may have been deleted since
        caches.make_private(self._folder)

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return "the folder's name stands for the sources"

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, function: Callable[..., Any], _file: str) -> _Locator | None:
        folder = cache_folder()
        return None if folder is None else cls(function, folder)


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes: ClassVar[list[Any]] = [_Locator]  # type: ignore[misc]


class _Cache(caching.FunctionCache):
    """Compiled code in files, none of which a program depends on."""

    _impl_class = _Implementation

    def load_overload(self, signature: Any, target: Any) -> Any:
        overload: Any = None
        try:
            # numba's own would load all that its compiler knows first, four times as much work as the code itself
            rtsys.initialize(target)
            with self._guard_against_spurious_io_errors():
                overload = self._load_overload(signature, target)  # type: ignore[no-untyped-call]
        except OSError as error:
            self._do_without(error)
        # numba itself raises at a damaged file: https://github.com/numba/numba/pull/10656
        except Exception as error:  # noqa: BLE001 - it may raise anything; it is written anew
            self._do_without(error)
            with contextlib.suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
        # where two processes wrote at once, a file may hold the code of the other's types
        if overload is None or overload.signature.args != tuple(signature):
            _say_once()
            return None
        return overload

    def save_overload(self, signature: Any, data: Any) -> None:
        try:
            super().save_overload(signature, data)  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - damaged files again, or no room for new ones
            self._do_without(error)

    def _do_without(self, error: Exception) -> None:
        if interrupts.by_handler(error):
            raise error
        _say_not_kept(error)

    def signatures(self, codegen: Any) -> list[Any]:
        """The signatures that there is compiled code for."""
        try:
            files = self._cache_file._load_index()
        except Exception as error:  # noqa: BLE001 - a damaged file may raise anything
            self._do_without(error)
            return []
        return [
            key[0]
            for key, file in files.items()
            if key == self._index_key(key[0], codegen)  # type: ignore[no-untyped-call]
            and os.path.exists(self._cache_file._data_path(file))
        ]


_kernels: list[Any] = []


def load_cache() -> bool:
    """Load what is kept of the kernels that are imported, and compile nothing; whether any is ready for use."""
    with loading.under_way():
        for compiled in _kernels:
            for signature in compiled._cache.signatures(compiled.targetctx.codegen()):
                compiled.compile(signature)
    return any(compiled.signatures for compiled in _kernels)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile ``function``, which Python code calls, and keep what comes of it."""
    compiled = numba.njit(**OPTIONS)(function)
    if cache_folder() is not None:
        compiled._cache = _Cache(function)  # type: ignore[no-untyped-call]
        _kernels.append(compiled)
    compile_for = compiled._compile_for_args

    def compile_alone(*arguments: Any) -> Any:
        if loading.busy():
            raise RuntimeError("this call, or its process, began in the midst of compiling host kernels")
        only_loads = background.without()
        if only_loads and _is_put_off(compiled, tuple(map(compiled.typeof_pyval, arguments))):
            raise background.Compiling
        with loading.under_way(only_loads):
            return compile_for(*arguments)

    compiled._compile_for_args = compile_alone
    return compiled


def _is_put_off(compiled: Any, signature: tuple[Any, ...]) -> bool:
    """Whether a kernel will be compiled in another thread; loading what was compiled before is soon done here."""
    codegen = compiled.targetctx.codegen()
    # another thread that compiles would have this one wait for it, whatever is kept
    is_soon = loading.idle() and cache_folder() is not None and signature in compiled._cache.signatures(codegen)
    return not is_soon and background.begin(compiled, signature)


def inner(function: Callable[..., Any]) -> Any:
    """``function``, which compiled code has compiled; for Python it stays what it is."""
    return register_jitable(**OPTIONS, no_cpython_wrapper=True)(function)
