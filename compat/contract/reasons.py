"""Why the reference serves a call."""

from __future__ import annotations

# the arguments make the reference raise an error of its own
REJECTED = "the reference rejects the arguments"
# a signal handler's or a finalizer's call; a process that was forked
BUSY = "the call, or its process, began in the midst of compiling host kernels"


class ByDesign(str):
    """A reason for what we leave to the reference on purpose: no fallback, whatever ``on_fallback`` says."""

    __slots__ = ()


STRICT = ByDesign("strict numerics")
