"""Vectors whose lanes are frames: a small algebra over LLVM's vector instructions, for numba.

A kernel works on as many frames at once as a vector has lanes, so that a transform of one frame, written down once, is
a transform of all of them and needs no shuffling. :func:`operation` makes of a Python function that writes such algebra
one that compiled code can call with addresses.
"""

from __future__ import annotations

import inspect
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_REALS = {types.float32: (ir.FloatType(), 4), types.float64: (ir.DoubleType(), 8)}
# no nnan and no ninf: what is not finite has to stay so
_FLAGS = ("contract", "nsz")
# bytes of a row that are gathered or scattered at once
CHUNK = 16


def _vector_bytes() -> int:
    # NUMBA_CPU_FEATURES has numba compile for another processor
    from_env = config.CPU_FEATURES  # type: ignore[attr-defined]
    features = llvm.get_host_cpu_features().flatten() if from_env is None else from_env
    return 64 if {"+avx512f", "+avx512dq"} <= set(features.split(",")) else 32


ARM = platform.machine().lower() in ("arm64", "aarch64")
VECTOR_BYTES = _vector_bytes()
# of which ARM's vectors fill two
REGISTER_BYTES = 16 if ARM else VECTOR_BYTES


class Vec:
    """One value in every lane."""

    __slots__ = ("kit", "value")

    def __init__(self, kit: Kit, value: Any) -> None:
        self.kit, self.value = kit, value

    def __add__(self, other: Vec) -> Vec:
        return Vec(self.kit, self.kit.builder.fadd(self.value, other.value, flags=_FLAGS))

    def __sub__(self, other: Vec) -> Vec:
        return Vec(self.kit, self.kit.builder.fsub(self.value, other.value, flags=_FLAGS))

    def __mul__(self, other: Vec) -> Vec:
        return Vec(self.kit, self.kit.builder.fmul(self.value, other.value, flags=_FLAGS))

    def __truediv__(self, other: Vec) -> Vec:
        return Vec(self.kit, self.kit.builder.fdiv(self.value, other.value, flags=_FLAGS))

    def __neg__(self) -> Vec:
        return Vec(self.kit, self.kit.builder.fneg(self.value))

    def times_plus(self, factor: Vec, term: Vec) -> Vec:
        """``self * factor + term``, rounded once where the processor can."""
        return of_llvm("llvm.fmuladd", self, factor, term)

    def at_least(self, other: Vec) -> Vec:
        """The larger of the two; NaN where self is."""
        return self.where("ugt", other, self, other)

    def most(self, other: Vec) -> Vec:
        """The larger of the two; ``other`` where either is NaN."""
        return self.where("ogt", other, self, other)

    def clamped(self, low: Vec, high: Vec) -> Vec:
        """Within limits, which are numbers; NaN stays."""
        if ARM:  # one instruction each there; on x86 comparisons are, and these are many
            return of_llvm("llvm.maximum", of_llvm("llvm.minimum", self, high), low)
        limited = self.where("ogt", high, high, self)
        return limited.where("olt", low, low, limited)

    def where(self, relation: str, other: Vec, yes: Vec, no: Vec) -> Vec:
        """``yes`` in the lanes where self stands in LLVM's ``relation`` to ``other``, ``no`` elsewhere."""
        builder = self.kit.builder
        compare = builder.fcmp_unordered if relation[0] == "u" else builder.fcmp_ordered
        symbol = {"gt": ">", "lt": "<"}[relation[1:]]
        return Vec(self.kit, builder.select(compare(symbol, self.value, other.value), yes.value, no.value))


def of_llvm(name: str, *arguments: Vec, flags: tuple[str, ...] = ()) -> Vec:
    """An operation of LLVM's on vectors of one kind."""
    kit = arguments[0].kit
    kind = f"{name}.v{kit.lanes}f{8 * kit.size}"
    form = ir.FunctionType(kit.vector, [kit.vector] * len(arguments))
    function = kit.builder.module.declare_intrinsic(kind, (), form)
    return Vec(kit, kit.builder.call(function, [x.value for x in arguments], fastmath=flags))


class Complex(NamedTuple):
    """A complex value in every lane."""

    re: Vec
    im: Vec

    def plus(self, other: Complex) -> Complex:
        return Complex(self.re + other.re, self.im + other.im)

    def minus(self, other: Complex) -> Complex:
        return Complex(self.re - other.re, self.im - other.im)

    def times(self, other: Complex) -> Complex:
        return Complex(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)

    def times_alike(self, other: Complex) -> Complex:
        """:meth:`times`, to the same bits wherever it stands.

        Else it is up to the code around it which of two products is fused with their sum.
        """
        re = self.re.times_plus(other.re, -(self.im * other.im))
        return Complex(re, self.re.times_plus(other.im, self.im * other.re))

    def scaled(self, factor: Vec) -> Complex:
        return Complex(self.re * factor, self.im * factor)

    def plus_i(self, other: Complex, sign: int) -> Complex:
        """``self + sign * i * other``."""
        if sign > 0:
            return Complex(self.re - other.im, self.im + other.re)
        return Complex(self.re + other.im, self.im - other.re)

    def turned(self, sign: int) -> Complex:
        """``sign * i * self``."""
        return Complex(-self.im, self.re) if sign > 0 else Complex(self.im, -self.re)

    @property
    def conjugate(self) -> Complex:
        return Complex(self.re, -self.im)

    @property
    def energy(self) -> Vec:
        """The square of its magnitude."""
        return self.re * self.re + self.im * self.im


class Kit:
    """Loads, stores and constants for vectors of one arithmetic type, kept in memory as another."""

    def __init__(self, builder: Any, real: Any, stored: Any) -> None:
        self.builder = builder
        self.element, self.size = _REALS[real]
        self.stored, self.stored_size = _REALS[stored]
        self.lanes = VECTOR_BYTES // self.size
        self.vector = ir.VectorType(self.element, self.lanes)
        # bytes of a vector in scratch memory, where values keep their arithmetic type
        self.step = self.lanes * self.size
        self.pointer, self.index, self.false = ir.PointerType(), _I64, ir.Constant(ir.IntType(1), 0)

    def parts(self) -> list[tuple[Kit, int]]:
        """Kits for the lanes of each register that a vector fills, and the bytes of a vector before them.

        What keeps many values at once keeps twice as many in registers, if it is written a part at a time.
        """
        return [(_Part(self), first) for first in range(0, self.step, REGISTER_BYTES)]

    # addresses, integers and scalars

    def at(self, address: Any, offset: Any = 0) -> Any:
        """``address + offset``."""
        if isinstance(offset, int):
            return self.builder.add(address, _I64(offset)) if offset else address
        return self.builder.add(address, offset)

    def times(self, a: Any, b: Any) -> Any:
        """``a * b``."""
        return self.builder.mul(a, _I64(b) if isinstance(b, int) else b)

    @contextmanager
    def loop(self, count: Any) -> Iterator[Any]:
        """A loop in the compiled code; gives its index."""
        with cgutils.for_range(self.builder, count) as loop:
            yield loop.index

    @contextmanager
    def when(self, a: Any, value: int) -> Iterator[None]:
        """What follows happens in the compiled code if ``a`` equals ``value``."""
        with self.builder.if_then(self.builder.icmp_signed("==", a, _I64(value))):
            yield

    def integer(self, address: Any) -> Any:
        """The 64-bit integer at an address."""
        return self._load(address, _I64, 8)

    def byte(self, number: int) -> Any:
        return ir.IntType(8)(number)

    def peek(self, address: Any) -> Any:
        """The stored number at an address."""
        return self._load(address, self.stored, self.stored_size)

    def poke(self, address: Any, value: Any) -> None:
        """Store a number at an address."""
        self._store(value, address, self.stored_size)

    def copy_pair(self, source: Any, target: Any) -> None:
        """Copy two stored numbers that lie side by side."""
        pair = self._load(source, ir.VectorType(self.stored, 2), self.stored_size)
        self._store(pair, target, self.stored_size)

    def prefetch(self, address: Any, to_write: bool) -> None:
        """Ask for the line of memory that an address lies in; nothing happens where there is none."""
        form = ir.FunctionType(ir.VoidType(), [self.pointer, _I32, _I32, _I32])
        ask = self.builder.module.declare_intrinsic("llvm.prefetch", [self.pointer], form)
        self.builder.call(ask, [self.builder.inttoptr(address, self.pointer), _I32(int(to_write)), _I32(3), _I32(1)])

    def variable(self) -> Any:
        """A vector that changes inside a loop; starts at 0. See :meth:`get` and :meth:`put`."""
        return cgutils.alloca_once_value(self.builder, ir.Constant(self.vector, [0.0] * self.lanes))

    def get(self, variable: Any) -> Vec:
        return Vec(self, self.builder.load(variable))

    def put(self, variable: Any, value: Vec) -> None:
        self.builder.store(value.value, variable)

    def total(self, count: Any, term: Callable[[Any], Vec], turns: int) -> Vec:
        """The sum of ``term(i)`` over ``count`` indices, by so many sums (a power of two) that take turns."""
        sums = [self.variable() for _ in range(turns)]

        def add(total: Any, i: Any) -> None:
            self.put(total, self.get(total) + term(i))

        rounds = self.builder.udiv(count, self.index(turns))
        with self.loop(rounds) as i:
            for u, total in enumerate(sums):
                add(total, self.at(self.times(i, turns), u))
        done = self.times(rounds, turns)
        with self.loop(self.builder.sub(count, done)) as i:
            add(sums[0], self.at(done, i))
        parts = [self.get(total) for total in sums]
        while len(parts) > 1:
            parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    # vectors in scratch memory

    def load(self, address: Any, offset: int = 0) -> Vec:
        return Vec(self, self._load(self.at(address, offset), self.vector, self.size))

    def store(self, value: Vec, address: Any, offset: int = 0) -> None:
        self._store(value.value, self.at(address, offset), self.size)

    def load_complex(self, address: Any) -> Complex:
        return Complex(self.load(address), self.load(address, self.step))

    def store_complex(self, value: Complex, address: Any) -> None:
        self.store(value.re, address)
        self.store(value.im, address, self.step)

    # one number for all lanes

    def constant(self, number: float) -> Vec:
        return Vec(self, ir.Constant(self.vector, [number] * self.lanes))

    def factor(self, number: float) -> Vec:
        """:meth:`constant` for products that are added and subtracted, where LLVM would make another of minus it."""
        return of_llvm("llvm.arithmetic.fence", self.constant(number))

    def rounded(self, number: float) -> float:
        """A number of the arithmetic type."""
        return float(np.float32(number)) if self.size == 4 else number

    def spread(self, scalar: Any) -> Vec:
        """A scalar of the arithmetic type in every lane."""
        start = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(start, scalar, _I32(0))
        return Vec(self, self._shuffle(first, start, [0] * self.lanes))

    def broadcast(self, address: Any, offset: int = 0) -> Vec:
        """The number at an address in every lane."""
        return self.spread(self._load(self.at(address, offset), self.element, self.size))

    def twiddle(self, address: Any, offset: int = 0) -> Complex:
        """The complex number at an address in every lane."""
        return Complex(self.broadcast(address, offset), self.broadcast(address, offset + self.size))

    def reversed(self, value: Vec) -> Vec:
        """The same values in lanes that are counted from the other end."""
        return Vec(self, self._shuffle(value.value, value.value, range(self.lanes - 1, -1, -1)))

    # memory where each lane has a row of its own, or where lanes lie side by side

    @property
    def chunk(self) -> int:
        """Values of a row that are gathered or scattered at once."""
        return CHUNK // self.stored_size

    def gather(self, address: Any, row_bytes: Any) -> list[Vec]:
        """The next :attr:`chunk` values of each lane's row, one vector a value."""
        piece = ir.VectorType(self.stored, self.chunk)
        rows = []
        for _ in range(self.lanes):
            rows.append(self._load(address, piece, self.stored_size))
            address = self.at(address, row_bytes)
        return [self._arithmetic(v) for v in self._transposed(self._joined(rows))]

    def scatter(self, values: Sequence[Vec], address: Any, row_bytes: Any) -> None:
        """Write :attr:`chunk` values to each lane's row."""
        turned = self._transposed([self._in_memory(v) for v in values])
        for lane in range(self.lanes):
            group, vector = divmod(lane, self.chunk)
            first = group * self.chunk
            piece = self._shuffle(turned[vector], turned[vector], range(first, first + self.chunk))
            self._store(piece, address, self.stored_size)
            address = self.at(address, row_bytes)

    def load_stored(self, address: Any) -> Vec:
        """A value of each lane, side by side."""
        return self._arithmetic(self._load(address, ir.VectorType(self.stored, self.lanes), self.stored_size))

    def store_stored(self, value: Vec, address: Any) -> None:
        """A value of each lane, side by side."""
        self._store(self._in_memory(value), address, self.stored_size)

    def load_pairs(self, address: Any) -> Complex:
        """A complex value of each lane, side by side."""
        both = self._load(address, ir.VectorType(self.stored, 2 * self.lanes), self.stored_size)
        even, odd = (self._shuffle(both, both, range(part, 2 * self.lanes, 2)) for part in (0, 1))
        return Complex(self._arithmetic(even), self._arithmetic(odd))

    def store_pairs(self, value: Complex, address: Any) -> None:
        """A complex value of each lane, side by side."""
        re, im = self._in_memory(value.re), self._in_memory(value.im)
        order = [lane + part * self.lanes for lane in range(self.lanes) for part in (0, 1)]
        self._store(self._shuffle(re, im, order), address, self.stored_size)

    def load_lanes(self, address: Any, row_bytes: Any) -> Vec:
        """A value of each lane, ``row_bytes`` apart."""
        vector = ir.Constant(ir.VectorType(self.stored, self.lanes), ir.Undefined)
        for lane in range(self.lanes):
            vector = self.builder.insert_element(vector, self.peek(address), _I32(lane))
            address = self.at(address, row_bytes)
        return self._arithmetic(vector)

    def store_lane(self, value: Vec, lane: int, address: Any) -> None:
        """One lane's value."""
        self.poke(address, self.builder.extract_element(self._in_memory(value), _I32(lane)))

    # representation

    def _load(self, address: Any, kind: Any, align: int) -> Any:
        return self.builder.load(self.builder.inttoptr(address, self.pointer), align=align, typ=kind)

    def _store(self, value: Any, address: Any, align: int) -> None:
        self.builder.store(value, self.builder.inttoptr(address, self.pointer), align=align)

    def _shuffle(self, a: Any, b: Any, lanes: Sequence[int]) -> Any:
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(lanes)), list(lanes)))

    def _arithmetic(self, stored: Any) -> Vec:
        if self.stored_size == self.size:
            return Vec(self, stored)
        return Vec(self, self.builder.fpext(stored, self.vector))

    def _in_memory(self, value: Vec) -> Any:
        if self.stored_size == self.size:
            return value.value
        return self.builder.fptrunc(value.value, ir.VectorType(self.stored, self.lanes))

    def _joined(self, rows: list[Any]) -> list[Any]:
        """Rows of ``chunk`` values as ``chunk`` full vectors: vector ``t`` holds rows ``t``, ``t + chunk``, ..."""
        vectors = []
        for t in range(self.chunk):
            parts = rows[t :: self.chunk]
            while len(parts) > 1:
                both = range(2 * parts[0].type.count)
                parts = [self._shuffle(a, b, both) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            vectors.append(parts[0])
        return vectors

    def _transposed(self, vectors: list[Any]) -> list[Any]:
        """Squares of ``chunk`` by ``chunk`` values, side by side in ``chunk`` vectors, turned about their diagonals."""
        lanes, width = range(self.lanes), 1
        while width < self.chunk:
            low = [j if not j & width else self.lanes + j - width for j in lanes]
            high = [j + width if not j & width else self.lanes + j for j in lanes]
            turned = list(vectors)
            for i in range(self.chunk):
                if not i & width:
                    a, b = vectors[i], vectors[i + width]
                    turned[i], turned[i + width] = self._shuffle(a, b, low), self._shuffle(a, b, high)
            vectors = turned
            width *= 2
        return vectors


class _Part(Kit):
    """Vectors of a register's lanes, a whole vector's bytes from one to the next."""

    def __init__(self, whole: Kit) -> None:
        vars(self).update(vars(whole))
        self.lanes = REGISTER_BYTES // self.size
        self.vector = ir.VectorType(self.element, self.lanes)


def operation(*names: str, returns: str = "") -> Callable[[Callable[..., Any]], Any]:
    """Make a function of compiled code out of one that writes vector algebra.

    The function is called in compiled code as ``f(real, stored, *arguments)``: the types of the numbers ``real`` and
    ``stored`` choose the arithmetic and the memory type. ``body(kit, *arguments)`` writes the code.

    Args:
        names: Arguments, each an address or an integer; ``"name:real"`` or ``"name:stored"`` for a number of that type.
        returns: ``"real"``, ``"stored"`` or ``"integer"`` if the body returns such a number.
    """

    def decorate(body: Callable[..., Any]) -> Any:
        def definition(_typing_context: Any, real: Any, stored: Any, *_: Any) -> Any:
            kinds = {"": types.void, "real": real, "stored": stored, "integer": types.intp}
            arguments = [kinds[name.partition(":")[2] or "integer"] for name in names]
            signature = kinds[returns](real, stored, *arguments)

            def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
                result = body(Kit(builder, real, stored), *values[2:])
                return result if returns else context.get_dummy_value()

            return signature, generate

        parameters = ["typing_context", "real", "stored", *(name.partition(":")[0] for name in names)]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        signature = inspect.Signature([inspect.Parameter(p, kind) for p in parameters])
        definition.__signature__ = signature  # type: ignore[attr-defined]
        definition.__name__, definition.__doc__ = body.__name__, body.__doc__
        return intrinsic(definition)

    return decorate


@operation("address", "i", returns="integer")
def integer(kit: Kit, address: Any, i: Any) -> Any:
    """The 64-bit integer at ``address[i]``."""
    return kit.integer(kit.at(address, kit.times(i, 8)))


def lanes(size: int) -> int:
    """Lanes of a vector of numbers of ``size`` bytes."""
    return VECTOR_BYTES // size
