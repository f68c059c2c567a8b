"""What runs here inside a call through the door: our work for it, or the reference's."""

from __future__ import annotations

from contextvars import ContextVar


class _Bound(str):
    """What is inside a call that cannot begin anew."""

    __slots__ = ()


OURS, REFERENCE = "ours", "reference"
_BOUND = _Bound(OURS)
# only the outer call is booked
inside: ContextVar[str] = ContextVar("mlx_spectro_inside", default="")


def serving() -> bool:
    """Whether we are at work for a call here; in a backward pass we are not."""
    return inside.get() == OURS


def bind() -> None:
    """Have the call that we are at work for wait for its kernels: it has warned, or drawn random numbers."""
    if serving():
        inside.set(_BOUND)


def is_bound() -> bool:
    """Whether the call that we are at work for cannot be left to the reference without a trace."""
    return type(inside.get()) is _Bound
