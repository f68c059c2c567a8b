"""Forked children find compiled kernels in memory: alone, each worker of a data loader takes a second to load them."""

from __future__ import annotations

import logging
import os
import sys

from mlx_spectro.kernels import cpu
from mlx_spectro.ops import backend

from ..contract.adapter import LIBRARIES
from . import installer

logger = logging.getLogger("mlx_spectro.compat")
_PACKAGE = __name__.rsplit(".", 2)[0]
_loaded = False


def prepare() -> None:
    """Have kernels loaded before this process forks."""
    os.register_at_fork(before=_load)


def _load() -> None:
    """Load kernels, once, and only where programs transform audio.

    :func:`install` has the adapters of torch itself loaded for any program.
    """
    global _loaded
    libraries = {*LIBRARIES} - ({"torch"} if installer.installed("torch") else set())
    if _loaded or not any(f"{_PACKAGE}.{library}" in sys.modules for library in libraries):
        return
    if backend.for_host_arrays() == "host":
        try:
            _loaded = cpu.load()
        except Exception:
            logger.info("compiled kernels were not loaded before a fork", exc_info=True)
