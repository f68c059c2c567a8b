"""Why the reference serves a call."""

from __future__ import annotations

from typing import Any

# the arguments make the reference raise an error of its own
REJECTED = "the reference rejects the arguments"
# a signal handler's or a finalizer's call; a process that was forked
BUSY = "the call, or its process, began in the midst of compiling host kernels"
FREED = "a tensor's memory has been freed"

# under verify
NO_VALUES = "torch traces or transforms the program, where there are no values to compare"


class ByDesign(str):
    """A reason for what we leave to the reference on purpose: no fallback, whatever ``on_fallback`` says."""

    __slots__ = ()


class BySize(ByDesign):
    """A reason that the options and the sizes of a call alone decide, under ``route("auto")``."""

    __slots__ = ()


STRICT = ByDesign("strict numerics")
# under compilation("background"), until it is done
COMPILING = ByDesign("compiling, the reference serves meanwhile")


def unread(name: str, value: Any) -> str:
    """Why a call with an option of a type that we don't read is the reference's."""
    kind = type(value)
    origin = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{name} is of type {origin}{kind.__name__}: the documented type is served"
