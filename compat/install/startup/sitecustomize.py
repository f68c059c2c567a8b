"""Run at the start of every Python that a program under the shim starts: the shim goes into that one too.

Nothing is imported for it until the child imports a library that the shim serves.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))


class _FirstImport:
    """Calls for the shim when the first library that it serves is imported."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname not in ("torch", "torchaudio", "librosa", "transformers"):
            return None
        sys.meta_path.remove(self)
        # the child's Python may be another one
        if importlib.util.find_spec("mlx_spectro") is not None:
            from mlx_spectro.compat.runner import subprocesses

            subprocesses.join()
        specs = (finder.find_spec(fullname, path, target) for finder in list(sys.meta_path))
        return next((spec for spec in specs if spec is not None), None)


def _run_next() -> None:
    """Run the ``sitecustomize`` that this one hides."""
    folders = [folder for folder in sys.path if os.path.abspath(folder) != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", folders)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if "MLX_SPECTRO_RUN" in os.environ:
    sys.meta_path.insert(0, _FirstImport())
_run_next()
