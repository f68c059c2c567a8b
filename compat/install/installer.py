"""Putting our functions into the reference libraries themselves, and taking them out again."""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import logging
import os
import sys
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

from mlx_spectro import interrupts

from ..contract import settings
from ..contract.adapter import LIBRARIES
from . import absent
from .finders import OwnLoader, found_behind

logger = logging.getLogger("mlx_spectro.compat")
_ROOT = __name__.rsplit(".", 2)[0]


class Patch(NamedTuple):
    """An attribute of a library and what we put there."""

    owner: Any
    name: str
    ours: Any


_lock = threading.RLock()
# what stands for what, by library: filled when the library's adapters are imported
_functions: dict[str, dict[int, Any]] = {library: {} for library in LIBRARIES}
_originals: dict[str, dict[int, Any]] = {library: {} for library in LIBRARIES}
_methods: dict[str, list[Patch]] = {library: [] for library in LIBRARIES}
_targets: set[str] = set()
_patches: list[tuple[Patch, Any]] = []
# in the place of a class's attribute that is one of its base's
_INHERITED = object()


def replaces(library: str, original: Any, ours: Any) -> None:
    """Have :func:`install` put ``ours`` wherever a module of ``library`` holds ``original``."""
    _functions[library][id(original)] = ours
    _originals[library].setdefault(id(ours), original)


def replaces_method(library: str, owner: Any, name: str, ours: Any) -> None:
    """Have :func:`install` put ``ours`` in the attribute ``name`` of a class of ``library``."""
    _methods[library].append(Patch(owner, name, ours))


def install(*libraries: str) -> None:
    """Put our functions into ``libraries`` (default: torch, torchaudio, librosa, transformers), for this whole process.

    A library that is not imported yet is patched when it is, and never imported by this call. Names that other code
    bound before (``from torch import stft``) keep their functions.

    Raises:
        ValueError: an unknown library.
    """
    for library in libraries or LIBRARIES:
        if library not in LIBRARIES:
            raise ValueError(f"libraries must be among {', '.join(map(repr, LIBRARIES))}, got {library!r}")
    with _lock:
        new = [library for library in libraries or LIBRARIES if library not in _targets]
        _targets.update(new)
        if "torchaudio" in new:
            absent.provide()
        _watch()
    for library in new:
        if library in sys.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(library)  # another thread may be at it, and began before the watcher was there
        if _is_loaded(library):
            _patch(library)


def _watch() -> None:
    """Have the watcher before all other finders."""
    finders = [finder for finder in sys.meta_path if not isinstance(finder, _Watcher)]
    sys.meta_path[:] = [_Watcher(), *finders]


def patch_again(library: str) -> None:
    """Patch ``library`` once more, if it is to be: its stand-in, which a program imported first, has come to know more.

    Where a stand-in imports its library, that is patched before the stand-in knows what there is of ours.
    """
    if _is_loaded(library):
        _put_all(library)


def uninstall() -> None:
    """Give the libraries their own functions back. What other code has since put in their place is left alone."""
    with _lock:
        libraries = [*_targets]
        _targets.clear()
        absent.withdraw()
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Watcher)]
        while _patches:
            patch, original = _patches.pop()
            if vars(patch.owner).get(patch.name) is not patch.ours:
                continue
            if original is _INHERITED:
                delattr(patch.owner, patch.name)
            else:
                setattr(patch.owner, patch.name, original)
        for library in libraries:
            for module in _places(library).values():
                _put_back(_originals[library], module)


def _put_back(originals: dict[int, Any], module: ModuleType) -> None:
    """Give a module that was imported meanwhile, and took ours from others, the library's own."""
    for name, value in list(vars(module).items()):
        if id(value) in originals:
            setattr(module, name, originals[id(value)])


def installed(library: str) -> bool:
    """Whether our functions are to be in ``library``."""
    return library in _targets


def bound_before() -> list[str]:
    """Names outside the libraries that hold a library's own function, bound before ours was there, and what to do."""
    messages = []
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] in (*LIBRARIES, "mlx_spectro") or not isinstance(module, ModuleType):
            continue
        for name, value in list(vars(module).items()):
            for library in _targets:
                if id(value) in _functions[library]:
                    messages.append(
                        f"{module_name}.{name} is {library}'s own function, bound before mlx_spectro was there: "
                        f"run 'from {value.__module__} import {value.__name__}' again, or load mlx_spectro first"
                    )
    return messages


def _is_loaded(library: str) -> bool:
    """Whether ``library`` is imported to its end, and is no stand-in that a program has put there."""
    spec = getattr(sys.modules.get(library), "__spec__", None)
    return isinstance(spec, importlib.machinery.ModuleSpec) and not getattr(spec, "_initializing", False)


def _patch(library: str) -> None:
    """Patch everything of ``library`` that is imported.

    Never under our lock: who imports waits for the lock of a module, whose import may wait for ours.
    """
    if not _loads(f"{_ROOT}.{library}"):
        return
    for name in _places(library):
        _meet(name)
    _put_all(library)


def _places(library: str) -> dict[str, ModuleType]:
    """The modules of ``library`` that are imported and may hold its functions."""
    # torch binds its functions in these two places only, and has thousands of modules
    names = ("torch", "torch.functional") if library == "torch" else list(sys.modules)
    modules = {name: sys.modules.get(name) for name in names if name == library or name.startswith(f"{library}.")}
    # a program hides a module by None, and puts there what it likes
    return {name: module for name, module in modules.items() if isinstance(module, ModuleType)}


def _put_all(library: str) -> None:
    """Put what is registered wherever ``library`` has its own, if it is to be there."""
    with _lock:
        if library not in _targets:
            return
        for module in _places(library).values():
            _patch_module(library, module)
        for patch in list(_methods[library]):
            _put(patch)


def _meet(module: str) -> None:
    """Import the stand-in that waits for a library's ``module``, which is imported, if there is one."""
    package, _, last = module.rpartition(".")
    stand_in = sys.modules.get(f"{_ROOT}.{package}")
    if stand_in is not None and last in vars(stand_in).get("_later", ()):
        _loads(f"{_ROOT}.{module}")


def _loads(stand_in: str) -> bool:
    """Import a stand-in; where that fails, a library keeps its functions, and the program's own import goes on."""
    try:
        importlib.import_module(stand_in)
    except Exception as error:
        if settings.on_fault.get() == "raise" or interrupts.by_handler(error):
            raise
        library = stand_in.removeprefix(f"{_ROOT}.")
        problem = f"{type(error).__name__}: {error}"
        logger.warning("%s keeps its own functions, for ours do not load: %s", library, problem)
        return False
    return True


def _patch_module(library: str, module: ModuleType) -> None:
    ours = _functions[library]
    for name, value in list(vars(module).items()):
        if id(value) in ours:
            _put(Patch(module, name, ours[id(value)]))


def _put(patch: Patch) -> None:
    original = vars(patch.owner).get(patch.name, _INHERITED)
    if original is not patch.ours:
        _patches.append((patch, original))
        setattr(patch.owner, patch.name, patch.ours)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


class _Watcher(importlib.abc.MetaPathFinder):
    """Patches a library once its import is complete, and each of its modules that is imported later."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        library = fullname.partition(".")[0]
        if library not in _targets or (library == "torch" and fullname != library):
            return None
        spec = found_behind(self, fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _PatchingLoader(spec.loader)
        return spec


class _PatchingLoader(OwnLoader):
    """A module's own loader, with our patches after it."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        library = module.__name__.partition(".")[0]
        if library not in _targets:
            return
        if module.__name__ == library:
            _patch(library)
        elif _is_loaded(library):
            _meet(module.__name__)
            with _lock:
                if library in _targets:
                    _patch_module(library, module)
