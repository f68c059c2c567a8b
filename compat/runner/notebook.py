"""The shim in a notebook: ``%load_ext mlx_spectro.compat``, and a cell's profile by ``%%mlx_spectro_profile``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from ..contract import records, settings
from ..diagnostics import profile, report
from ..install import installer

_MAGIC = "mlx_spectro_profile"


def load(shell: Any) -> None:
    """Put our functions into the libraries, add the magic, and name what was imported too early to be ours."""

    def profile_cell(line: str, cell: str) -> None:
        """Run a cell and show what ran where: %%mlx_spectro_profile [--verify]"""
        __tracebackhide__ = True
        _profile(shell, line.split(), cell)

    installer.install()
    shell.register_magic_function(profile_cell, "cell", _MAGIC)
    for finding in installer.bound_before():
        print(finding)


def unload(shell: Any) -> None:
    """Give the libraries their own functions back."""
    installer.uninstall()
    shell.magics_manager.magics["cell"].pop(_MAGIC, None)


def _profile(shell: Any, options: list[str], cell: str) -> None:
    __tracebackhide__ = True
    from IPython.core.error import UsageError
    from IPython.display import display

    verify = options == ["--verify"]
    if options and not verify:
        raise UsageError(f"%%{_MAGIC} takes --verify or nothing, got {' '.join(options)!r}")
    with contextlib.ExitStack() as inside:
        inside.enter_context(records.apart())
        inside.enter_context(profile.profile())
        if verify:
            inside.enter_context(settings.numerics("verify"))
            inside.enter_context(settings.on_breach("warn"))
        begin = time.perf_counter()
        with _no_traceback(shell):
            result = shell.run_cell(cell)
        seconds = time.perf_counter() - begin
        run = report.Run(
            "this cell", records.report(), seconds, 1, installer.bound_before(), profiled=True, verified=verify
        )
    display(run)
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        raise error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)


@contextlib.contextmanager
def _no_traceback(shell: Any) -> Iterator[None]:
    """Have ``shell`` show no traceback of a cell inside a cell: the outer one fails with the same exception."""
    names = ("showtraceback", "showsyntaxerror")
    before = {name: getattr(shell, name) for name in names}
    for name in names:
        setattr(shell, name, lambda *args, **kwargs: None)
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(shell, name, method)
