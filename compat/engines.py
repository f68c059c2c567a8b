"""Who transforms host arrays: host kernels, or MLX on its default device."""

from __future__ import annotations

import threading
from typing import Any

from mlx_spectro import backend, cpu, distribution

from . import modes
from .reasons import ByDesign

_local = threading.local()


def engine(dtype: str, n_fft: int | None = None) -> Any:
    """What transforms host arrays of ``dtype``, in frames of ``n_fft`` samples; a string says why nothing does."""
    chosen = backend.for_host_arrays()
    if dtype == "float32" and modes.device.get() != "cpu" and backend.gpu_takes_host_arrays():
        from . import by_size

        return by_size.engine if chosen == "host" and modes.device.get() == "auto" else by_size.gpu
    if chosen == "host":
        slow = n_fft is not None and modes.route.get() == "auto" and not cpu.compiled(n_fft)
        return ByDesign(f"NumPy's transform of {n_fft} samples is slower than the reference's") if slow else cpu
    if not backend.has_mlx():
        return "neither numba nor an MLX back end is installed"
    if not backend.mlx_survived():
        return "MLX does not survive fork"
    if dtype != "float32":
        return f"MLX does not transform {dtype}"
    if chosen == "plain" and modes.route.get() == "auto":
        return f"plain MLX ops are slower than the reference: {distribution.install('host')}"
    return by_mlx()


def by_mlx() -> Any:
    """MLX on its default device for float32 CPU arrays; a string says why it is not to be used."""
    if not backend.gpu_takes_host_arrays():
        from . import via_mlx

        return via_mlx.host
    if modes.device.get() == "cpu":
        return "device('cpu') keeps CPU arrays off MLX's GPU"
    from . import by_size

    return by_size.gpu


def take(device: str) -> None:
    """Note that this thread's call goes to a device, where there was a choice."""
    _local.taken = device


def taken() -> str:
    """Which device this thread's last call went to, where there was a choice; asking forgets it."""
    found: str = getattr(_local, "taken", "")
    _local.taken = ""
    return found
