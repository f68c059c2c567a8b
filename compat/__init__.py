"""Adapters with the signatures of torch, torchaudio, librosa and transformers' spectrograms.

``from mlx_spectro.compat import torch, torchaudio, librosa`` gives the libraries with our functions in place of theirs;
:func:`install` puts our functions into the libraries themselves.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

if __name__ == "compat":
    raise ImportError("this folder is imported as mlx_spectro.compat, not as compat")

import mlx_spectro

if not hasattr(mlx_spectro, "set_num_threads"):
    raise ImportError(
        f"{mlx_spectro.__file__} is another project's: the package mlx-spectro has been installed over this one. "
        "pip uninstall mlx-spectro, then install mlx-spectro-compat again, with --force-reinstall"
    )

from .arrays.warm import prewarm
from .contract import records
from .contract.adapter import LIBRARIES
from .contract.records import FallbackError, FaultError, Record, reset
from .contract.settings import compilation, device, numerics, on_breach, on_fallback, on_fault, route
from .diagnostics.profile import profile
from .diagnostics.verify import VerificationError
from .install import forks, proxy
from .install.installer import install, uninstall

__all__ = [
    "FallbackError",
    "FaultError",
    "Record",
    "VerificationError",
    "compilation",
    "device",
    "install",
    "librosa",
    "numerics",
    "on_breach",
    "on_fallback",
    "on_fault",
    "prewarm",
    "profile",
    "report",
    "reset",
    "route",
    "torch",
    "torchaudio",
    "transformers",
    "uninstall",
]

proxy.find_submodules()
forks.prepare()

torch: ModuleType
torchaudio: ModuleType
librosa: ModuleType
transformers: ModuleType


def report() -> list[Record]:
    """What became of the calls since the last :func:`reset`, fallbacks first, the most frequent first.

    The list is shown as tables.
    """
    from .diagnostics import report as tables

    return tables.Report(records.report())


def load_ipython_extension(shell: Any) -> None:
    """What ``%load_ext mlx_spectro.compat`` calls, see :mod:`mlx_spectro.compat.runner.notebook`."""
    from .runner import notebook

    notebook.load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """What ``%unload_ext mlx_spectro.compat`` calls."""
    from .runner import notebook

    notebook.unload(shell)


def __getattr__(name: str) -> Any:
    if name in LIBRARIES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
