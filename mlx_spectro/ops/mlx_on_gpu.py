"""The operators by GPU kernels, on MLX arrays and without rules for derivatives."""

from __future__ import annotations

from ..design.operators import Operator, Shape
from ..kernels import gpu
from ..kernels.gpu import launch_mlx

_launcher = launch_mlx.MlxLauncher()

run = _launcher.run


def why_not(op: Operator, *shapes: Shape) -> str | None:
    """Why no kernel computes an operator of arguments of these shapes; None where :func:`run` does."""
    if not launch_mlx.available():
        return "the default device is no GPU with kernels"
    return gpu.why_not(op, shapes)
