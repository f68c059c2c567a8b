"""Every kind of kernel, and what its texts are known by, so that what was measured of others can be told."""

from __future__ import annotations

import hashlib

from . import (
    convolution,
    deltas,
    descriptors,
    epilogues,
    filterbank,
    frame_statistics,
    griffinlim,
    istft_text,
    kaldi,
    medians,
    overlap_add,
    peaks,
    phase_vocoder,
    projection,
    recursive_filter,
    resample,
    samples_to_bins,
    sliding_normalization,
    spans,
)
from .dialect import Kernel, cuda_program, metal_program
from .plan import DEFAULT, IN_DOUBLE, Geometry

# of frames: odd, and of every radix
_LENGTHS = (63, 400, 441, 512, 1024, 2048)


def kernels() -> list[Kernel]:
    """Every kind of kernel, for sizes of several shapes."""
    every = [
        overlap_add.kernel(),
        projection.kernel(),
        projection.kernel(1),
        projection.kernel(double=True),
        peaks.clipping(),
        peaks.kernel(),
        epilogues.kernel(),
        frame_statistics.kernel(),
        deltas.kernel(),
        medians.kernel(),
        resample.kernel(1),
        resample.kernel(),
        *(make(n, n) for n in (1, 2, 4) for make in (recursive_filter.kernel, recursive_filter.ends)),
        recursive_filter.kernel(0, 2),
        phase_vocoder.kernel(),
        phase_vocoder.turns(),
        kaldi.kernel(),
        kaldi.kernel(True),
        kaldi.beside(),
        griffinlim.kernel(),
        convolution.kernel(),
        sliding_normalization.sums(),
        sliding_normalization.kernel(),
        spans.kernel(),
        *map(descriptors.kernel, (33, 1025, 4097)),
    ]
    for n_fft in _LENGTHS:
        every += _of_frames(n_fft, DEFAULT)
        every.append(filterbank.kernel(n_fft, "power", True, DEFAULT.threads)[1])
    every += _of_frames(1024, IN_DOUBLE)
    every.append(filterbank.kernel(1024, "power", False, IN_DOUBLE.threads, True)[1])
    return every


def _of_frames(n_fft: int, geometry: Geometry) -> list[Kernel]:
    options = geometry.threads, geometry.double
    return [
        samples_to_bins.kernel(n_fft, "complex", "bnf", False, *options)[1],
        samples_to_bins.kernel(n_fft, "complex", "bnf", True, *options)[1],
        istft_text.kernel(n_fft, True, False, *options)[1],
        istft_text.kernel(n_fft, False, False, *options)[1],
        istft_text.kernel(n_fft, False, True, *options)[1],
    ]


def digests() -> dict[str, str]:
    """By kernels' names, what tells their texts from others."""
    return {kernel.name: _digest(cuda_program(kernel) + metal_program(kernel)) for kernel in kernels()}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
