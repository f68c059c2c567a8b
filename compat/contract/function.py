"""A function that a reference library and we both serve; how a call of it is served, :mod:`..dispatch` says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .tolerances import Limit

# our work for a call, to be called once
Work = Callable[[], Any]


@dataclass(eq=False)
class Function:
    """A function of a reference library that we serve too."""

    name: str
    """Its public name, ``"torch.stft"``."""
    theirs: Callable[..., Any]
    """What calls the reference library's own function."""
    plan: Callable[..., Work]
    """Takes a call's arguments and returns our work for it, or declines: the reference has to serve the call.

    Arguments that the reference rejects are declined too: it raises its own error.
    """
    limit: Limit
    """``(dtype, n_fft, largest) -> bound`` of ``|ours - theirs|``; ``n_fft`` is :attr:`order` of the call."""
    order: Callable[..., float]
    """Takes a call's arguments and returns the length of its transforms, or what else its limit depends on."""
    compiling: Callable[[], bool] = bool
    """Whether a compiler reads this very call."""
    transformed: Callable[[], bool] = bool
    """Whether the library traces or transforms the call: its arrays have no values."""
    for_compiler: Callable[..., Any] | None = None
    """What a compiler is to read in place of the call, None for the reference's function; it may decline."""
    library: str = field(init=False)

    def __post_init__(self) -> None:
        self.library = self.name.partition(".")[0]


# what a program's call of a function goes through
Door = Callable[[Function, tuple[Any, ...], dict[str, Any]], Any]
