"""Where we keep what one process finds out for the next."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path


def folder() -> Path | None:
    """Our folder in the user's cache, whether it exists or not; None for a user without a home."""
    import platformdirs

    try:
        path = Path(platformdirs.user_cache_dir("mlx-spectro"))
    except RuntimeError:
        return None
    # older versions raise nothing, and leave a "~" that would become a folder of that name wherever the program runs
    return path if path.is_absolute() else None


def make_private(folder: Path) -> None:
    """Make a folder that nobody but us can write to.

    Raises:
        OSError: it cannot be made, or is another's too.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    # loading compiled code that somebody else could have written would be running it
    others = stat.S_IWGRP | stat.S_IWOTH
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & others):
        raise PermissionError(errno.EACCES, "not ours alone to write to", str(folder))


def write_whole(file: Path, content: bytes) -> None:
    """Have a file hold this: other processes read what it held before or all of it.

    Raises:
        OSError: it cannot be written.
    """
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.stem)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.replace(name, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def host_kernels() -> list[Path]:
    """The folders of compiled host kernels, of this version and of others."""
    ours = folder()
    if ours is None:
        return []
    try:
        return [ours / "host-kernels" / name for name in os.listdir(ours / "host-kernels")]
    except OSError:
        return []
