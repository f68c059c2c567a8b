"""The shim in a notebook: ``%load_ext mlx_spectro.compat``, and a cell's profile by ``%%mlx_spectro_profile``."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from . import installing, modes, profiling, records, reporting

_MAGIC = "mlx_spectro_profile"


def load(shell: Any) -> None:
    """Put our functions into the libraries, add the magic, and name what was imported too early to be ours."""

    def profile_cell(line: str, cell: str) -> None:
        """Run a cell and show what ran where: %%mlx_spectro_profile [--verify]"""
        _profile(shell, line.split(), cell)

    installing.install()
    shell.register_magic_function(profile_cell, "cell", _MAGIC)
    for finding in installing.bound_before():
        print(finding)


def unload(shell: Any) -> None:
    """Give the libraries their own functions back."""
    installing.uninstall()
    shell.magics_manager.magics["cell"].pop(_MAGIC, None)


def _profile(shell: Any, options: list[str], cell: str) -> None:
    from IPython.core.error import UsageError
    from IPython.display import display

    verify = options == ["--verify"]
    if options and not verify:
        raise UsageError(f"%%{_MAGIC} takes --verify or nothing, got {' '.join(options)!r}")
    with contextlib.ExitStack() as inside:
        inside.enter_context(records.apart())
        inside.enter_context(profiling.profile())
        if verify:
            inside.enter_context(modes.numerics("verify"))
            inside.enter_context(modes.on_breach("warn"))
        begin = time.perf_counter()
        shell.run_cell(cell)
        seconds = time.perf_counter() - begin
        run = reporting.Run(
            "this cell", records.report(), seconds, 1, installing.bound_before(), profiled=True, verified=verify
        )
    display(run)
