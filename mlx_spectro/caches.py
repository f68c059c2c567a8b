"""Where we keep what one process finds out for the next."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path | None:
    """Our folder in the user's cache, whether it exists or not; None for a user without a home."""
    import platformdirs

    try:
        found = Path(platformdirs.user_cache_dir("mlx-spectro"))
    except RuntimeError:
        return None
    # older versions raise nothing, and leave a "~" that would become a folder of that name wherever the program runs
    return found if found.is_absolute() else None


def host_kernels() -> list[Path]:
    """The folders of compiled host kernels, of this version and of others."""
    ours = folder()
    if ours is None:
        return []
    try:
        return [ours / "host-kernels" / name for name in os.listdir(ours / "host-kernels")]
    except OSError:
        return []
