"""Products with a bank."""

from __future__ import annotations

import functools

import mlx.core as mx

from ..design.operators import Project, ProjectClipped, ProjectPower
from .apply import apply, defines
from .autodiff import linear
from .decibels import clip_below_peak, example_axes
from .epilogues import follow
from .fft import on_cpu, on_cuda


@defines(Project)
def project(op: Project, x: mx.array, bank: mx.array) -> mx.array:
    """``x [..., N, F] @ bank [F, filters]`` in true float32 on every device."""
    # MLX derives none of the bits that products are made of on CUDA
    multiply = linear(
        lambda x: product(x, bank.T if op.transposed else bank), lambda g, shape: project(op.transpose(shape), g, bank)
    )
    return multiply(x)


@defines(ProjectPower)
def project_power(op: ProjectPower, x: mx.array, bank: mx.array) -> mx.array:
    """The product with the values or with their squares, and what follows."""
    return follow(op.epilogue, apply(Project(), mx.square(x) if op.power == 2 else x, bank))


@defines(ProjectClipped)
def project_clipped(op: ProjectClipped, x_db: mx.array, bank: mx.array) -> mx.array:
    """The product with what is clipped."""
    return apply(Project(), clip_below_peak(x_db, op.top_db, example_axes(x_db)), bank)


# MLX adds a product's terms one after the other, and loses a digit of a thousand of them: on the CPU by rounding, in
# CUDA's matrix units by cutting off
_BLOCK = 64
# the sign, the exponent and the ten leading bits of a float32's fraction: what TF32 keeps, in which MLX multiplies on
# CUDA unless a variable that it reads once says otherwise, https://github.com/ml-explore/mlx/issues/3860
_TF32_BITS = 0xFFFFE000


def product(x: mx.array, matrix: mx.array) -> mx.array:
    """``x @ matrix`` in true float32: MLX would multiply float32 matrices on CUDA in TF32."""
    if mx.metal.is_available() and not on_cpu():
        return x @ matrix
    multiply = _in_halves if on_cuda() else mx.matmul
    blocks = range(0, x.shape[-1], _BLOCK)
    return functools.reduce(mx.add, [multiply(x[..., i : i + _BLOCK], matrix[i : i + _BLOCK]) for i in blocks])


def _in_halves(x: mx.array, matrix: mx.array) -> mx.array:
    """``x @ matrix``, of two halves of 11 bits each, of which TF32 loses nothing."""
    x_high, m_high = _leading(x), _leading(matrix)
    x_low, m_low = x - x_high, matrix - m_high
    return x_high @ m_high + (x_high @ m_low + x_low @ m_high + x_low @ m_low)


def _leading(x: mx.array) -> mx.array:
    # MLX derives no bits, and of a custom function forward mode looks into what has rules, too
    bits = mx.stop_gradient(x).view(mx.uint32)
    return (bits & mx.array(_TF32_BITS, mx.uint32)).view(mx.float32)
