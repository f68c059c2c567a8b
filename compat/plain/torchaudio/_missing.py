"""What is no signal processing, and is not here: its names, and where to have them instead."""

from collections.abc import Callable
from typing import Any


class MissingError(ImportError, NotImplementedError):
    """A part of torchaudio that there is none of without torchaudio."""


def missing(module: str, names: tuple[str, ...], instead: str) -> Callable[[str], Any]:
    """A module's ``__getattr__`` that says of ``names`` what to take ``instead``."""

    def __getattr__(name: str) -> Any:
        if name in names:
            raise MissingError(
                f"{module}.{name} is not among what mlx_spectro has in the place of torchaudio, which is not installed "
                f"here, or does not load: {instead}, or install torchaudio with the torch that it was built for"
            )
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return __getattr__
