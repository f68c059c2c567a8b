"""Who transforms host arrays: host kernels, or MLX on its default device."""

from __future__ import annotations

from typing import Any

from mlx_spectro import distribution
from mlx_spectro.kernels import cpu
from mlx_spectro.ops import backend

from ..contract import settings
from ..contract.decline import Decline
from ..contract.reasons import BUSY, ByDesign

_NO_KERNEL = (
    "no kernel transforms frames of {} samples, and NumPy would be slower than the library: lengths from 32 on with "
    "no other prime factors than 2, 3, 5 and 7 are served"
)


def engine(dtype: str, n_fft: int | None = None) -> Any:
    """What transforms host arrays of ``dtype``, in frames of ``n_fft`` samples; where nothing does, it declines."""
    implementation = backend.for_host_arrays()
    if cpu.busy():
        raise Decline(BUSY)
    if dtype == "float32" and settings.device.get() != "cpu" and backend.gpu_takes_host_arrays():
        from . import crossover

        return crossover.engine if implementation == "host" and settings.device.get() == "auto" else crossover.gpu
    if implementation == "host":
        if n_fft is not None and settings.route.get() == "auto" and not cpu.compiled(n_fft):
            raise Decline(ByDesign(_NO_KERNEL.format(n_fft)))
        return cpu
    if not backend.has_mlx():
        raise Decline(f"neither numba nor an MLX back end is installed: {distribution.install('cpu')}")
    if not backend.mlx_survived():
        raise Decline(
            f"the process was forked after MLX was used, and MLX does not survive that: {distribution.install('host')}"
        )
    if dtype != "float32":
        raise Decline(f"without numba, MLX computes in float32, not in {dtype}: {distribution.install('host')}")
    if implementation == "plain" and settings.route.get() == "auto":
        raise Decline(f"without numba, we are slower than the library: {distribution.install('host')}")
    return by_mlx()


def check_host_kernels(library: str) -> None:
    """Decline a call of a library that computes in float64 where no host kernel can."""
    if cpu.busy():
        raise Decline(BUSY)
    # MLX computes in float32 only
    if not (backend.for_host_arrays() == "host" and cpu.available()):
        raise Decline(f"{library} computes in float64, which needs numba here: {distribution.install('host')}")


def by_mlx() -> Any:
    """MLX on its default device for float32 CPU arrays; where it is not to be used, the call is declined."""
    if not backend.gpu_takes_host_arrays():
        from . import mlx_bridge

        return mlx_bridge
    if settings.device.get() == "cpu":
        raise Decline(f"without numba, device('cpu') leaves CPU arrays to the library: {distribution.install('host')}")
    from . import crossover

    return crossover.gpu
