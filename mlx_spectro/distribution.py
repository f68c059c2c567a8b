"""What this package is called where it is installed from. On PyPI, ``mlx-spectro`` is another project's package."""

from __future__ import annotations

NAME = "mlx-spectro-compat"


def install(extra: str) -> str:
    """The command that installs what ``extra`` of this package asks for."""
    return f"pip install '{NAME}[{extra}]'"
