"""Which line a library's warning names, where its own call is not the program's."""

from __future__ import annotations

import ast
import dis
import functools
import inspect
import os
import sys
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

_SHIM = os.path.dirname(os.path.dirname(__file__)) + os.sep


def at_callers_line(theirs: Callable[..., Any], levels: int = 1) -> Callable[..., Any]:
    """``theirs``, whose warnings name the line that called us, and count as that line's, as they do without us.

    Args:
        levels: Up to which caller they may look, from our own on.
    """

    @functools.wraps(theirs)
    def call(*args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        while frame.f_code.co_filename.startswith(_SHIM) and frame.f_back is not None:
            frame = frame.f_back
        called, given = theirs, (args, kwargs)
        for _ in range(levels):
            line = FunctionType(_call_at(frame.f_code.co_filename, frame.f_lineno), frame.f_globals)
            called, given = line, ((called, *given), {})
            frame = frame.f_back or frame
        return called(*given[0], **given[1])

    return call


def at_callers_line_where(
    warns: Callable[..., bool], theirs: Callable[..., Any], levels: int = 1
) -> Callable[..., Any]:
    """:func:`at_callers_line`, for calls of whose arguments ``warns`` is true."""
    told = at_callers_line(theirs, levels)

    @functools.wraps(theirs)
    def call(*args: Any, **kwargs: Any) -> Any:
        return (told if warns(*args, **kwargs) else theirs)(*args, **kwargs)

    return call


def as_called_in(caller: Callable[..., Any], name: str) -> Callable[..., Any]:
    """What calls a function with given arguments, for warnings to name the line in ``caller`` that calls it.

    Args:
        name: What ``caller`` calls the function.
    """
    caller = inspect.unwrap(caller)
    code = caller.__code__
    offset = next((part.offset for part in dis.get_instructions(code) if part.argval == name), 0)
    line = next((line for start, end, line in code.co_lines() if start <= offset < end), code.co_firstlineno)
    return FunctionType(_call_at(code.co_filename, line), caller.__globals__)


@functools.lru_cache(maxsize=1024)
def _call_at(file: str, line: int) -> CodeType:
    """A function's call that says of itself that it stands in a line of a file."""
    return _CALL.replace(co_filename=file, co_firstlineno=line)


def _call() -> CodeType:
    tree = ast.parse("lambda theirs, args, kwargs: theirs(*args, **kwargs)", mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.expr):
            # no column, which a traceback would underline in a line that says something else
            node.col_offset = node.end_col_offset = -1
    (code,) = (part for part in compile(tree, "", "eval").co_consts if isinstance(part, CodeType))
    return code


_CALL = _call()
