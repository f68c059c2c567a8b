"""The operators by GPU kernels, on MLX arrays and without rules for derivatives."""

from __future__ import annotations

from ..kernels.gpu import launch_mlx, plan

_launcher = launch_mlx.MlxLauncher()

run, serves = _launcher.run, _launcher.serves


def why_not(n_fft: int) -> str | None:
    """Why no kernel transforms frames of ``n_fft`` samples here; None where one does."""
    return plan.why_not(n_fft) if launch_mlx.available() else "the default device is no GPU with kernels"
