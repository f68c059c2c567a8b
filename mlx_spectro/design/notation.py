"""Operators as text: what a program that is compiled or written to a file says of an operator."""

from __future__ import annotations

import ast
import dataclasses
import functools
import math
from typing import Any

from . import epilogues, operators
from .descriptors import DescriptorSpec
from .framing import Framing
from .operators import Operator

# of the meaning of the text; a field that is new and has a default changes none
_VERSION = "mlx_spectro 1: "
# what depends on the arguments' shapes is no part of the text
_SIZES = ("length", "frames")

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (*vars(operators).values(), *vars(epilogues).values(), DescriptorSpec, Framing)
    if isinstance(kind, type) and (dataclasses.is_dataclass(kind) or kind is Framing)
}


def write(op: Operator) -> tuple[str, int]:
    """An operator as text, and the size that stands in it as ``size``; 0 if none does.

    Example:
        >>> from mlx_spectro.design.operators import Project
        >>> write(Project(transposed=True))
        ('mlx_spectro 1: Project(transposed=True)', 0)
    """
    sizes: list[int] = []
    return _VERSION + _written(op, sizes), sum(sizes)


def _written(value: Any, sizes: list[int]) -> str:
    if dataclasses.is_dataclass(value) or isinstance(value, Framing):
        names = value._fields if isinstance(value, Framing) else [field.name for field in dataclasses.fields(value)]
        return f"{type(value).__name__}({', '.join(_field(name, getattr(value, name), sizes) for name in names)})"
    if isinstance(value, tuple):
        return f"({''.join(_written(part, sizes) + ', ' for part in value)})"
    return repr(float(value)) if isinstance(value, float) else repr(value)


def _field(name: str, value: Any, sizes: list[int]) -> str:
    if name in _SIZES:
        sizes.append(value)
        return f"{name}=size"
    return f"{name}={_written(value, sizes)}"


def read(text: str, size: int) -> Operator:
    """The operator that :func:`write` has written.

    Raises:
        ValueError: what the text says is of another version.
    """
    # a size that is not known yet, while a program is compiled, is no key
    return _known(text, size) if type(size) is int else _read(text, size)


def _read(text: str, size: int) -> Operator:
    try:
        op = _value(_parsed(text), size)
    except (SyntaxError, KeyError, TypeError) as error:
        raise ValueError(
            f"this mlx_spectro cannot read the operator {text!r} ({error}): the program was made with another version, "
            "and has to be exported again"
        ) from error
    assert isinstance(op, Operator)
    return op


_known = functools.lru_cache(maxsize=1024)(_read)


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> ast.expr:
    if not text.startswith(_VERSION):
        raise SyntaxError(f"it does not begin with {_VERSION!r}")
    return ast.parse(text.removeprefix(_VERSION), mode="eval").body


def _value(node: ast.expr, size: int) -> Any:
    match node:
        case ast.Call(func=ast.Name(id=kind), args=[]):
            return _KINDS[kind](**{part.arg: _value(part.value, size) for part in node.keywords if part.arg})
        case ast.Tuple():
            return tuple(_value(part, size) for part in node.elts)
        case ast.Constant():
            return node.value
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, size)
        case ast.Name(id=name):
            return {"size": size, "inf": math.inf, "nan": math.nan}[name]
    raise SyntaxError(f"{ast.unparse(node)!r} is not understood")
