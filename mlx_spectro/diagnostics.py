"""What the caches hold, and the name of the device they hold it for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import mlx.core as mx

_counts: Counter[str] = Counter()
_snapshots: dict[str, Callable[[], dict[str, Any]]] = {}


def _enabled() -> bool:
    return os.environ.get("SPEC_MLX_CACHE_STATS", "0") == "1"


def count(event: str) -> None:
    """Count ``event`` while ``SPEC_MLX_CACHE_STATS=1``."""
    if _enabled():
        _counts[event] += 1


def snapshot(name: str, look: Callable[[], dict[str, Any]]) -> None:
    """Have :func:`get_cache_debug_stats` show ``look()`` under ``name``."""
    _snapshots[name] = look


def get_cache_debug_stats(*, reset: bool = False) -> dict[str, Any]:
    """Counters and snapshots of the kernel and transform caches.

    Args:
        reset: Set the counters to zero afterwards.

    Returns:
        ``enabled`` (whether ``SPEC_MLX_CACHE_STATS=1`` lets counters count), ``counts`` (event to number), and a
        dictionary for each cache.
    """
    stats = {"enabled": _enabled(), "counts": dict(_counts), **{name: look() for name, look in _snapshots.items()}}
    if reset:
        reset_cache_debug_stats()
    return stats


def reset_cache_debug_stats() -> None:
    """Set the cache counters to zero."""
    _counts.clear()


def spec_mlx_device_key() -> str:
    """Name of the default device, as in the keys of autotuning results: ``"gpu:Apple M4 Max:applegpu_g16s"``."""
    device = mx.default_device()
    info = mx.device_info(device)
    return ":".join([device.type.name, *(str(info[key]) for key in ("device_name", "architecture") if key in info)])
