"""The parity table: one module a feature, one row a function."""

from __future__ import annotations

import importlib
import pkgutil

from ..case import Row


def table(*only: str) -> list[Row]:
    """All rows, or those whose name contains one of ``only``, in the order of the modules' names."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    rows = [row for module in modules for row in module.ROWS]
    return [row for row in rows if not only or any(name in row.name for name in only)]
