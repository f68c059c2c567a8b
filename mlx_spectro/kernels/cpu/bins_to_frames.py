"""Spectra to frames and frames to a signal: the compiled code of the backward transform and of overlap-add."""

from __future__ import annotations

from typing import Any

from .fft import backward_passes
from .runtime.compile import inner
from .runtime.vector import Complex, Kit, operation


def _join(kit: Kit, z: Any, places: Any, k: Any, mirrored: Any, low: Complex, high: Complex, twiddle: Any) -> None:
    """Put bins ``k`` and ``points - k`` where the backward transform of even and odd samples takes them."""
    even = Complex(low.re + high.re, low.im - high.im)
    odd = Complex(low.re - high.re, low.im + high.im).times_alike(kit.twiddle(twiddle))
    a = even.plus_i(odd, 1)
    b = even.plus_i(odd, -1).conjugate
    kit.store_complex(a, kit.at(z, kit.integer(kit.at(places, kit.times(k, 8)))))
    kit.store_complex(b, kit.at(z, kit.integer(kit.at(places, kit.times(mirrored, 8)))))


def _pairs(values: list[Any]) -> list[Complex]:
    return [Complex(re, im) for re, im in zip(values[::2], values[1::2], strict=True)]


@operation("z", "places", "k", "mirrored", "split", "low", "high", "row_bytes")
def read_bins(
    kit: Kit, z: Any, places: Any, k: Any, mirrored: Any, split: Any, low: Any, high: Any, row_bytes: Any
) -> None:
    """The chunk of complex bins from ``k`` at ``low`` and that from ``mirrored`` at ``high``, a lane's side by side."""
    unit = kit.chunk // 2
    lows, highs = _pairs(kit.gather(low, row_bytes)), _pairs(kit.gather(high, row_bytes))
    for u in range(unit):
        ku, mu = kit.at(k, u), kit.at(mirrored, unit - 1 - u)
        _join(kit, z, places, ku, mu, lows[u], highs[unit - 1 - u], kit.at(split, kit.times(ku, 2 * kit.size)))


@operation("z", "places", "k", "mirrored", "split", "low", "high")
def read_bins_side_by_side(
    kit: Kit, z: Any, places: Any, k: Any, mirrored: Any, split: Any, low: Any, high: Any
) -> None:
    """Bins ``k`` at ``low`` and ``mirrored`` at ``high``, a bin's frames side by side."""
    twiddle = kit.at(split, kit.times(k, 2 * kit.size))
    _join(kit, z, places, k, mirrored, kit.load_pairs(low), kit.load_pairs(high), twiddle)


@operation("z", "edge:real", "low", "high", "row_bytes")
def read_edge_bins(kit: Kit, z: Any, edge: Any, low: Any, high: Any, row_bytes: Any) -> None:
    """The real parts, times ``edge``, of bins 0 and ``n_fft / 2`` of an even transform."""
    factor = kit.spread(edge)
    first, last = (kit.load_lanes(address, row_bytes) * factor for address in (low, high))
    kit.store_complex(Complex(first + last, first - last), z)


@operation("z", "places", "k", "mirrored", "source", "row_bytes")
def read_plain_bin(kit: Kit, z: Any, places: Any, k: Any, mirrored: Any, source: Any, row_bytes: Any) -> None:
    """Bin ``k`` of an odd transform, and its conjugate for the bin ``mirrored``."""
    value = Complex(kit.load_lanes(source, row_bytes), kit.load_lanes(kit.at(source, kit.stored_size), row_bytes))
    kit.store_complex(value, kit.at(z, kit.integer(kit.at(places, kit.times(k, 8)))))
    kit.store_complex(value.conjugate, kit.at(z, kit.integer(kit.at(places, kit.times(mirrored, 8)))))


@operation("z", "edge:real", "source", "row_bytes")
def read_plain_edge(kit: Kit, z: Any, edge: Any, source: Any, row_bytes: Any) -> None:
    """The real part, times ``edge``, of bin 0 of an odd transform."""
    kit.store_complex(Complex(kit.load_lanes(source, row_bytes) * kit.spread(edge), kit.constant(0.0)), z)


@operation("z", "window", "target", "row_bytes")
def write_samples(kit: Kit, z: Any, window: Any, target: Any, row_bytes: Any) -> None:
    """The next chunk of samples, times the window, to each lane's row."""
    values = [kit.load(z, kit.step * i) * kit.broadcast(window, kit.size * i) for i in range(kit.chunk)]
    kit.scatter(values, target, row_bytes)


@operation("z", "window", "target", "row_bytes")
def write_real_parts(kit: Kit, z: Any, window: Any, target: Any, row_bytes: Any) -> None:
    """The real parts of the next chunk of values, times the window, to each lane's row."""
    values = [kit.load(z, 2 * kit.step * i) * kit.broadcast(window, kit.size * i) for i in range(kit.chunk)]
    kit.scatter(values, target, row_bytes)


@inner
def transform_back(real, stored, spectrum, window, z, rows, row_bytes, edge, layout, tables):
    """One-sided complex bins at ``spectrum`` to windowed frames, a lane's samples side by side, at ``rows``.

    ``spectrum`` is ``(address, bytes a bin, bytes a frame)``, one of them the size of a complex number. ``edge`` is the
    factor of bins 0 and ``n_fft / 2``; the others count twice, for themselves and for their mirror images.
    """
    n_fft, points, packed, size, real_size, chunk, step = layout
    passes, count, places, twiddles, split = tables
    source, bin_bytes, frame_bytes = spectrum
    width = 2 * size
    if packed:
        read_edge_bins(real, stored, z, edge, source, source + bin_bytes * points, frame_bytes)
        if bin_bytes == width:
            unit = chunk // 2
            for k in range(1, points // 2 + 1, unit):
                m = points - k - unit + 1
                read_bins(real, stored, z, places, k, m, split, source + width * k, source + width * m, frame_bytes)
        else:
            for k in range(1, points // 2 + 1):
                m = points - k
                low, high = source + bin_bytes * k, source + bin_bytes * m
                read_bins_side_by_side(real, stored, z, places, k, m, split, low, high)
    else:
        read_plain_edge(real, stored, z, edge, source, frame_bytes)
        for k in range(1, n_fft // 2 + 1):
            read_plain_bin(real, stored, z, places, k, n_fft - k, source + bin_bytes * k, frame_bytes)
    backward_passes(real, z, passes, 0, count, 2 * step, twiddles)
    for i in range(0, n_fft, chunk):
        i = min(i, n_fft - chunk)
        target, weights = rows + size * i, window + real_size * i
        if packed:
            write_samples(real, stored, z + step * i, weights, target, row_bytes)
        else:
            write_real_parts(real, stored, z + 2 * step * i, weights, target, row_bytes)


def _stretch(kit: Kit, count: Any, whole: Any, single: Any) -> None:
    """Code for ``count`` numbers: ``whole(offset)`` a vector at a time, ``single(offset)`` for those left over."""
    size, width = kit.stored_size, kit.lanes
    vectors = kit.builder.udiv(count, kit.index(width))
    with kit.loop(vectors) as i:
        whole(kit.times(i, width * size))
    done = kit.times(vectors, width)
    with kit.loop(kit.builder.sub(count, done)) as i:
        single(kit.times(kit.builder.add(done, i), size))


@operation("target", "source", "count")
def accumulate(kit: Kit, target: Any, source: Any, count: Any) -> None:
    """Add ``count`` numbers to those at ``target``."""

    def whole(offset: Any) -> None:
        to = kit.at(target, offset)
        kit.store_stored(kit.load_stored(to) + kit.load_stored(kit.at(source, offset)), to)

    def single(offset: Any) -> None:
        to = kit.at(target, offset)
        kit.poke(to, kit.builder.fadd(kit.peek(to), kit.peek(kit.at(source, offset))))

    _stretch(kit, count, whole, single)


@operation("target", "factors", "count")
def multiply(kit: Kit, target: Any, factors: Any, count: Any) -> None:
    """Multiply ``count`` numbers at ``target``."""

    def whole(offset: Any) -> None:
        to = kit.at(target, offset)
        kit.store_stored(kit.load_stored(to) * kit.load_stored(kit.at(factors, offset)), to)

    def single(offset: Any) -> None:
        to = kit.at(target, offset)
        kit.poke(to, kit.builder.fmul(kit.peek(to), kit.peek(kit.at(factors, offset))))

    _stretch(kit, count, whole, single)


@operation("target", "count")
def clear(kit: Kit, target: Any, count: Any) -> None:
    """Set ``count`` bytes to zero."""
    builder = kit.builder
    fill = builder.module.declare_intrinsic("llvm.memset", [kit.pointer, kit.index])
    builder.call(fill, [builder.inttoptr(target, kit.pointer), kit.byte(0), count, kit.false])


@inner
def overlap_add(real, stored, size, target, low, high, rows, row_bytes, first, last, group, hop, n):
    """Add frames ``first`` to ``last`` to the samples from ``low`` up to ``high`` of the timeline, at ``target``.

    Frame ``group`` stands in the first row, and starts at sample ``group * hop``.
    """
    for frame in range(first, last):
        start = frame * hop
        a, b = max(start, low), min(start + n, high)
        if b > a:
            source = rows + row_bytes * (frame - group) + size * (a - start)
            accumulate(real, stored, target + size * (a - low), source, b - a)


@inner
def divide(real, stored, size, target, low, high, inverse, hop, frames, covering, compact):
    """Multiply the samples from ``low`` up to ``high`` by the inverse envelope.

    ``inverse`` holds it for ``compact`` frames; of more, the middle repeats every hop, from hop ``covering`` on.
    """
    sample = low
    repeats = frames - compact
    while sample < high:
        block = sample // hop
        offset = sample - block * hop
        here = block if block < covering else max(covering, block - repeats)
        count = min(hop - offset, high - sample)
        multiply(real, stored, target + size * (sample - low), inverse + size * (here * hop + offset), count)
        sample += count
