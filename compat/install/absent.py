"""torchaudio where it is not installed, or does not load: plain definitions under its name."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import logging
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from .finders import OwnLoader, found_behind

logger = logging.getLogger("mlx_spectro.compat")
_LIBRARY = "torchaudio"
_FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "plain", _LIBRARY)


def provide() -> None:
    """Have ``import torchaudio`` give plain definitions where there is no torchaudio that loads."""
    if _LIBRARY not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def withdraw() -> None:
    """Undo :func:`provide`; what is imported stays."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]


def _plain() -> importlib.machinery.ModuleSpec:
    place = os.path.join(_FOLDER, "__init__.py")
    spec = importlib.util.spec_from_file_location(_LIBRARY, place, submodule_search_locations=[_FOLDER])
    assert spec is not None
    return spec


class _Finder(importlib.abc.MetaPathFinder):
    """Finds torchaudio, the installed one if it loads."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _LIBRARY:
            return None
        try:
            spec = found_behind(self, fullname, path, target)
        except ImportError:  # a program hides it
            spec = None
        # a folder without an __init__.py, say a checkout's, is no torchaudio
        if spec is None or spec.loader is None or spec.origin is None:
            return _plain()
        spec.loader = _Loader(spec.loader)
        return spec


class _Loader(OwnLoader):
    """The installed torchaudio's own loader; if that fails, plain definitions are loaded into the same module."""

    def exec_module(self, module: ModuleType) -> None:
        try:
            super().exec_module(module)
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            # built for another torch, mostly: a library has a symbol that is not there
            if isinstance(error, ModuleNotFoundError) and error.name == "torch":
                raise
            logger.warning("torchaudio does not load, and plain definitions take its place: %s", error)
            _reload(module)


def _reload(module: ModuleType) -> None:
    for name in [name for name in sys.modules if name.startswith(f"{_LIBRARY}.")]:
        del sys.modules[name]
    spec = _plain()
    assert spec.loader is not None
    own = vars(module)
    own.clear()
    own.update(vars(importlib.util.module_from_spec(spec)))
    spec.loader.exec_module(module)
