"""What finders of ours leave to those behind them, and to a module's own loader."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any


def found_behind(
    finder: importlib.abc.MetaPathFinder, fullname: str, path: Sequence[str] | None, target: ModuleType | None
) -> importlib.machinery.ModuleSpec | None:
    """What the finders behind ``finder`` find; all of them, where another thread has taken it out meanwhile."""
    finders = list(sys.meta_path)
    behind = finders[finders.index(finder) + 1 :] if finder in finders else finders
    # Python passes by what has no find_spec
    asked = (other.find_spec for other in behind if hasattr(other, "find_spec"))
    specs = (find_spec(fullname, path, target) for find_spec in asked)
    return next((spec for spec in specs if spec is not None), None)


class OwnLoader(importlib.abc.Loader):
    """A module's own loader, which the module is told of once it is executed."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
