"""What the caches hold, and the name of the device they hold it for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from . import _check

_counts: Counter[str] = Counter()
# how often Python has called each kernel
_kernels: dict[str, int] = {}
_snapshots: dict[str, Callable[[], dict[str, Any]]] = {}


def _enabled() -> bool:
    return _check.switch("SPEC_MLX_CACHE_STATS", default=False)


def count(event: str) -> None:
    """Count ``event`` while ``SPEC_MLX_CACHE_STATS=1``."""
    if _enabled():
        _counts[event] += 1


def used(kernel: str, times: int = 1) -> None:
    """Count calls of a kernel that is built."""
    _kernels[kernel] = _kernels.get(kernel, 0) + times


def snapshot(name: str, look: Callable[[], dict[str, Any]]) -> None:
    """Have :func:`get_cache_debug_stats` show ``look()`` under ``name``."""
    _snapshots[name] = look


snapshot("kernel_cache", lambda: dict(_kernels))


def get_cache_debug_stats(*, reset: bool = False) -> dict[str, Any]:
    """Counters and snapshots of the kernel and transform caches.

    Args:
        reset: Set the counters to zero afterwards.

    Returns:
        ``enabled`` (whether ``SPEC_MLX_CACHE_STATS=1`` lets counters count), ``counts`` (event to number), and a
        dictionary for each cache: ``kernel_cache`` names the kernels that this process has built or loaded, and says
        how often each was called, without the calls that MLX repeats from its own recording; ``transform_cache`` says
        how :func:`get_transform_mlx` fares, by ``hits``, ``misses``, ``maxsize`` and ``currsize``.
    """
    stats = {"enabled": _enabled(), "counts": dict(_counts), **{name: look() for name, look in _snapshots.items()}}
    if reset:
        reset_cache_debug_stats()
    return stats


def reset_cache_debug_stats() -> None:
    """Set the counters to zero."""
    _counts.clear()
    _kernels.update(dict.fromkeys(_kernels, 0))


def spec_mlx_device_key() -> str:
    """Name of the default device, as in the keys of autotuning results: ``"gpu:Apple M4 Max:applegpu_g16s"``."""
    import mlx.core as mx

    device = mx.default_device()
    info = mx.device_info(device)
    return ":".join([device.type.name, *(str(info[key]) for key in ("device_name", "architecture") if key in info)])
