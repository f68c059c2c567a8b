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
        try:
            sys.meta_path.remove(self)
        except ValueError:  # another thread was first
            pass
        else:
            _join()
        # Python passes by what has no find_spec
        finders = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
        specs = (finder.find_spec(fullname, path, target) for finder in finders)
        return next((spec for spec in specs if spec is not None), None)


def _join() -> None:
    """Call for the shim; the child's Python may be another one, in which there is none, or none that loads."""
    if importlib.util.find_spec("mlx_spectro") is None:
        return
    try:
        from mlx_spectro.compat.runner import subprocesses

        subprocesses.join()
    except Exception as error:
        if os.environ.get("MLX_SPECTRO_ON_FAULT") == "raise":
            raise
        import logging

        problem = f"{type(error).__name__}: {error}"
        logging.getLogger("mlx_spectro.compat").warning("this process runs without mlx_spectro: %s", problem)


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
