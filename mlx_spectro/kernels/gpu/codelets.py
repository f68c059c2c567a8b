"""Discrete Fourier transforms of a few values in registers, as text."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterable

PRIMES = (2, 3, 5, 7)


def number(x: float) -> str:
    """``x`` as a literal of a double's digits, by its capital F: what spells out the text rounds it to a float's."""
    return f"{0.0 if abs(x) < 1e-15 else x!r}F"


def complex_number(z: complex) -> str:
    """``z`` as an expression of type float2."""
    return f"k_c({number(z.real)}, {number(z.imag)})"


def root(turn: float) -> complex:
    """``exp(-2 pi i turn)``."""
    return cmath.exp(-2j * math.pi * turn)


def codelets(radices: Iterable[int]) -> str:
    """``k_dft<R>(v)``, the forward transform of ``v[0 .. R - 1]`` in place, for each radix and what it is made of."""
    needed: list[int] = []
    for radix in radices:
        _collect(radix, needed)
    return _ARITHMETIC + "".join(
        f"template <> K_FN void k_dft<{n}>(K_LOCAL float2* v) {{\n{_codelet(n)}}}\n" for n in needed
    )


_ARITHMETIC = """
K_FN float2 k_mul(float2 a, float2 b) { return k_c(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x); }
K_FN float2 k_each(float2 a, float2 b) { return k_c(a.x * b.x, a.y * b.y); }
K_FN float2 k_conj(float2 a) { return k_c(a.x, -a.y); }
K_FN float2 k_quarter(float2 a) { return k_c(a.y, -a.x); }
K_FN float2 k_eighth(float2 a) { return k_c((a.x + a.y) * 0.70710678118654752F, (a.y - a.x) * 0.70710678118654752F); }
template <uint R> K_FN void k_dft(K_LOCAL float2* v);
"""


def _split(n: int) -> tuple[int, int]:
    """``n`` as two factors, coprime if possible, else about equal."""
    pairs = [(a, n // a) for a in range(2, n) if n % a == 0]
    return min(pairs, key=lambda pair: (math.gcd(*pair) > 1, abs(pair[0] - pair[1]), pair))


def _collect(n: int, needed: list[int]) -> None:
    if n not in (1, *PRIMES, 4):
        for part in _split(n):
            _collect(part, needed)
    if n not in needed:
        needed.append(n)


def _codelet(n: int) -> str:
    if n == 1:
        return ""
    if n == 2:
        return "float2 a = v[0]; v[0] = a + v[1]; v[1] = a - v[1];\n"
    if n == 4:
        return (
            "float2 a = v[0] + v[2], b = v[0] - v[2], c = v[1] + v[3], d = k_quarter(v[1] - v[3]);\n"
            "v[0] = a + c; v[1] = b + d; v[2] = a - c; v[3] = b - d;\n"
        )
    return _prime(n) if n in PRIMES else _composite(n)


def _prime(n: int) -> str:
    """Inputs j and n - j come as their sum and difference: the cosines need the one, the sines the other."""
    pairs = range(1, n // 2 + 1)
    code = "float2 z = v[0];\n"
    for j in pairs:
        code += f"float2 p{j} = v[{j}] + v[{n - j}], m{j} = k_quarter(v[{j}] - v[{n - j}]);\n"
    code += "v[0] = z" + "".join(f" + p{j}" for j in pairs) + ";\n"
    for k in pairs:
        turns = [root(j * k / n) for j in pairs]
        even = "z" + "".join(f" + p{j} * {number(w.real)}" for j, w in zip(pairs, turns, strict=True))
        odd = " + ".join(f"m{j} * {number(-w.imag)}" for j, w in zip(pairs, turns, strict=True))
        code += f"{{ float2 a = {even}, b = {odd}; v[{k}] = a + b; v[{n - k}] = a - b; }}\n"
    return code


def _composite(n: int) -> str:
    """``n = n1 n2``: n2 transforms of n1 values, then n1 of n2 values.

    Coprime factors need no twiddles between them (Good and Thomas), others do (Cooley and Tukey).
    """
    n1, n2 = _split(n)
    coprime = math.gcd(n1, n2) == 1
    if coprime:
        source = f"({n2} * i + {n1} * b) % {n}"
        target = f"({n2 * pow(n2, -1, n1)} * a + {n1 * pow(n1, -1, n2)} * i) % {n}"
    else:
        source, target = f"{n2} * i + b", f"a + {n1} * i"
    code = f"""float2 c[{n}];
K_UNROLL for (int b = 0; b < {n2}; b++) {{
  float2 u[{n1}];
  K_UNROLL for (int i = 0; i < {n1}; i++) u[i] = v[{source}];
  k_dft<{n1}>(u);
  K_UNROLL for (int i = 0; i < {n1}; i++) c[b * {n1} + i] = u[i];
}}
"""
    if not coprime:
        for b in range(1, n2):
            for a in range(1, n1):
                value = f"c[{b * n1 + a}]"
                code += f"{value} = {_turned(value, a * b, n)};\n"
    return (
        code
        + f"""K_UNROLL for (int a = 0; a < {n1}; a++) {{
  float2 u[{n2}];
  K_UNROLL for (int i = 0; i < {n2}; i++) u[i] = c[i * {n1} + a];
  k_dft<{n2}>(u);
  K_UNROLL for (int i = 0; i < {n2}; i++) v[{target}] = u[i];
}}
"""
    )


def _turned(value: str, steps: int, n: int) -> str:
    """``value * exp(-2 pi i steps / n)``; multiples of an eighth of a turn, up to three, cost less."""
    eighths, rest = divmod(8 * steps, n)
    if rest == 0 and eighths in (1, 2, 3):
        return {1: "k_eighth({})", 2: "k_quarter({})", 3: "k_quarter(k_eighth({}))"}[eighths].format(value)
    return f"k_mul({value}, {complex_number(root(steps / n))})"
