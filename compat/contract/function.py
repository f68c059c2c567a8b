"""A function that a reference library and we both serve; how a call of it is served, :mod:`..dispatch` says."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from . import settings
from .plans import MOST, Planned, Plans, Signature, Work
from .reasons import BySize
from .tolerances import Limit

__all__ = ["Door", "Function", "Work"]


def _by_nothing(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Signature | None:
    return None


def _of_any_size(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
    return None


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
    signature: Callable[[tuple[Any, ...], dict[str, Any]], Signature | None] = _by_nothing
    """Takes a call's arguments and returns what a plan of theirs depends on, and their arrays."""
    sizes: Callable[[tuple[Any, ...], dict[str, Any]], Hashable] = _of_any_size
    """Takes a call's arguments and returns its options and sizes; None where every call is planned."""
    by_size: dict[Hashable, BySize] = field(init=False)
    """Why calls are left to the reference, by their sizes."""
    library: str = field(init=False)
    repeats: bool = field(init=False, default=False)
    """Whether calls can use the plans of others, learned from the first; calls of other functions are not signed."""

    def __post_init__(self) -> None:
        self.library = self.name.partition(".")[0]
        self.forget()

    def forget(self) -> None:
        """Plan every call anew."""
        self._plans, self.by_size = Plans(), {}

    def hand_over(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> BySize | None:
        """Why a call is left to the reference for its sizes, if one like it was before.

        Whatever else may have changed, the reference serves it right.
        """
        if settings.numerics.changed or settings.device.changed or settings.route.get() != "auto":
            return None
        return self.by_size.get(self.sizes(args, kwargs))

    def leave(self, args: tuple[Any, ...], kwargs: dict[str, Any], reason: BySize) -> None:
        """Leave calls of the same sizes to the reference."""
        sizes = self.sizes(args, kwargs)
        if sizes is None:
            return
        if len(self.by_size) >= MOST:
            self.by_size.clear()
        self.by_size[sizes] = reason

    def planned(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Work | None:
        """Our work for a call, if one like it was planned before."""
        signature = self.signature(args, kwargs)
        return None if signature is None else self._plans.find(signature)

    def work(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Work:
        """Our work for a call, planned anew; or declined."""
        before = self.signature(args, kwargs) if self.repeats else None
        work = self.plan(*args, **kwargs)
        if type(work) is Planned:
            self.repeats = True
            after = None if before is None else self.signature(args, kwargs)
            # another thread may have changed a setting, or a module, meanwhile
            if before is not None and after is not None and after[0] == before[0]:
                self._plans.keep(after, work)
        return work


# what a program's call of a function goes through
Door = Callable[[Function, tuple[Any, ...], dict[str, Any]], Any]
