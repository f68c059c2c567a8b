"""Frames to spectra: the compiled code of the forward transform and of what it can end in."""

from __future__ import annotations

from typing import Any

from .fft import forward_butterflies, forward_passes
from .frames import copy
from .runtime import elementary
from .runtime.compile import inner
from .runtime.memory import LINE
from .runtime.vector import Complex, Kit, Vec, integer, operation

# bins of either end of a spectrum that are written together
_TILE = 128


@operation("source", "row_bytes", "window", "target")
def gather_samples(kit: Kit, source: Any, row_bytes: Any, window: Any, target: Any) -> None:
    """The next few samples of each lane, times the window, as they come."""
    for i, value in enumerate(kit.gather(source, row_bytes)):
        kit.store(value * kit.broadcast(window, kit.size * i), target, kit.step * i)


@operation("source", "row_bytes", "window", "target")
def gather_as_complex(kit: Kit, source: Any, row_bytes: Any, window: Any, target: Any) -> None:
    """The next few samples of each lane, times the window, as complex numbers."""
    for i, value in enumerate(kit.gather(source, row_bytes)):
        kit.store(value * kit.broadcast(window, kit.size * i), target, 2 * kit.step * i)
        kit.store(kit.constant(0.0), target, (2 * i + 1) * kit.step)


@operation("address", "lines")
def prefetch(kit: Kit, address: Any, lines: Any) -> None:
    """Have so many lines of memory on their way into the nearest cache."""
    with kit.loop(lines) as i:
        kit.prefetch(kit.at(address, kit.times(i, LINE)), to_write=False)


@inner
def transform(real, stored, source, row_bytes, window, z, temporary, layout, tables):
    """Windowed frames at ``source`` to their complex transform at ``z``.

    ``layout`` is ``(n_fft, points, packed, stored size, real size, chunk, vector bytes)``, ``tables`` ``(passes, number
    of passes, places, twiddles, split twiddles)``.
    """
    n_fft, _, packed, size, real_size, chunk, step = layout
    passes, count, _, twiddles, _ = tables
    element = 2 * step
    if not packed:
        for i in range(0, n_fft, chunk):
            i = min(i, n_fft - chunk)
            gather_as_complex(real, stored, source + size * i, row_bytes, window + real_size * i, z + element * i)
        # numba compiles a function for each number that is written out in a call
        forward_passes(real, z, passes, packed, count, element, twiddles)
        return
    # the first pass takes its values straight from the frames
    radix, butterflies = integer(real, real, passes, 0), integer(real, real, passes, 1)
    unit = chunk // 2
    # samples of the next frames that are not in these: processors do not foresee what is read in so many rows at once
    lanes = step // real_size
    ahead = source + row_bytes * (lanes - 1) + size * n_fft
    lines = row_bytes * lanes * unit // (LINE * butterflies) + 1 if row_bytes < size * n_fft else 0
    for j in range(0, butterflies, unit):
        prefetch(real, real, ahead + LINE * lines * (j // unit), lines)
        j = min(j, butterflies - unit)
        for r in range(radix):
            i = 2 * (j + butterflies * r)
            target = temporary + element * unit * r
            gather_samples(real, stored, source + size * i, row_bytes, window + real_size * i, target)
        for u in range(unit):
            row = twiddles + 2 * real_size * (radix - 1) * (j + u)
            at, to = temporary + element * u, z + element * (j + u)
            forward_butterflies(real, real, radix, at, element * unit, to, element * butterflies, 0, 1, row)
    if count > 1:
        for r in range(radix):
            forward_passes(real, z + element * butterflies * r, passes, packed, count, element, twiddles)


def _split(kit: Kit, z: Any, place: Any, mirrored: Any, twiddle: Any) -> tuple[Complex, Complex]:
    """Bins ``k`` and ``points - k`` of the real transform whose even and odd samples were transformed as one."""
    a = kit.load_complex(kit.at(z, kit.integer(place)))
    b = kit.load_complex(kit.at(z, kit.integer(mirrored)))
    even = Complex(a.re + b.re, a.im - b.im)
    odd = Complex(a.im + b.im, b.re - a.re).times(kit.twiddle(twiddle))
    low, high = even.plus(odd), even.minus(odd)
    return low, high.conjugate


@operation("z", "places", "k", "mirrored", "split", "low", "high", "row_bytes")
def write_bins(
    kit: Kit, z: Any, places: Any, k: Any, mirrored: Any, split: Any, low: Any, high: Any, row_bytes: Any
) -> None:
    """The chunk of complex bins from ``k`` up to ``low`` and that from ``mirrored`` up to ``high``."""
    unit = kit.chunk // 2
    lows: list[Vec] = []
    highs: list[Vec] = []
    for u in range(unit):
        place = kit.at(places, kit.times(kit.at(k, u), 8))
        other = kit.at(places, kit.times(kit.at(mirrored, unit - 1 - u), 8))
        a, b = _split(kit, z, place, other, kit.at(split, kit.times(kit.at(k, u), 2 * kit.size)))
        lows += [a.re, a.im]
        highs = [b.re, b.im, *highs]
    kit.scatter(lows, low, row_bytes)
    kit.scatter(highs, high, row_bytes)


@operation("z", "places", "k", "target", "row_bytes")
def write_plain_bins(kit: Kit, z: Any, places: Any, k: Any, target: Any, row_bytes: Any) -> None:
    """The chunk of complex bins from ``k`` of an odd transform."""
    values: list[Vec] = []
    for u in range(kit.chunk // 2):
        values += kit.load_complex(kit.at(z, kit.integer(kit.at(places, kit.times(kit.at(k, u), 8)))))
    kit.scatter(values, target, row_bytes)


@operation("z", "edge:real", "low", "high", "row_bytes")
def write_edge_bins(kit: Kit, z: Any, edge: Any, low: Any, high: Any, row_bytes: Any) -> None:
    """Bins 0 and ``n_fft / 2`` of an even transform, times ``edge``."""
    first, zero = kit.load_complex(z), kit.constant(0.0)
    for value, address in ((first.re + first.im, low), (first.re - first.im, high)):
        value = value * kit.spread(edge)
        for lane in range(kit.lanes):
            row = kit.at(address, kit.times(row_bytes, lane))
            kit.store_lane(value, lane, row)
            kit.store_lane(zero, lane, kit.at(row, kit.stored_size))


@operation("target", "row_bytes", "edge:real")
def scale_bin(kit: Kit, target: Any, row_bytes: Any, edge: Any) -> None:
    """A complex bin of every lane, times ``edge``."""
    factor = kit.builder.fptrunc(edge, kit.stored) if kit.stored_size < kit.size else edge
    for lane in range(kit.lanes):
        for part in range(2):
            address = kit.at(kit.at(target, kit.times(row_bytes, lane)), kit.stored_size * part)
            kit.poke(address, kit.builder.fmul(kit.peek(address), factor))


@inner
def write_plain_spectrum(real, stored, z, rows, row_bytes, edge, layout, places):
    """:func:`write_spectrum` of an odd transform."""
    n_fft, _, _, size, _, chunk, _ = layout
    unit, width = chunk // 2, 2 * size
    last = n_fft // 2 + 1 - unit
    for k in range(0, last + unit, unit):
        k = min(k, last)
        write_plain_bins(real, stored, z, places, k, rows + width * k, row_bytes)
    scale_bin(real, stored, rows, row_bytes, edge)


@inner
def write_spectrum(real, stored, z, rows, row_bytes, edge, layout, tables):
    """One-sided complex bins of every lane to ``rows``; bins 0 and ``n_fft / 2`` times ``edge``."""
    _, points, packed, size, _, chunk, _ = layout
    _, _, places, _, split = tables
    unit, width = chunk // 2, 2 * size
    if not packed:
        write_plain_spectrum(real, stored, z, rows, row_bytes, edge, layout, places)
        return
    write_edge_bins(real, stored, z, edge, rows, rows + width * points, row_bytes)
    for k in range(1, points // 2 + 1, unit):
        mirrored = points - k - unit + 1
        write_bins(real, stored, z, places, k, mirrored, split, rows + width * k, rows + width * mirrored, row_bytes)


@operation("low", "high")
def prefetch_bins(kit: Kit, low: Any, high: Any) -> None:
    """Have as much memory on its way, to be written to, as :func:`write_bins` writes at either end."""
    for offset in range(0, kit.chunk * kit.lanes * kit.stored_size, LINE):
        for address in (low, high):
            kit.prefetch(kit.at(address, offset), to_write=True)


@inner
def put_spectrum(real, stored, z, rows, row_bytes, edge, layout, tables, target, frame_bytes, valid):
    """:func:`write_spectrum` of the first ``valid`` lanes to memory at ``target``, ``frame_bytes`` apart.

    Bins are taken a tile at a time, so that what stands in ``rows`` does not leave the nearest cache.
    """
    n_fft, points, packed, size, real_size, chunk, step = layout
    _, _, places, _, split = tables
    unit, width, lanes = chunk // 2, 2 * size, step // real_size
    if not packed:
        write_plain_spectrum(real, stored, z, rows, row_bytes, edge, layout, places)
        for lane in range(valid):
            copy(real, stored, target + frame_bytes * lane, rows + row_bytes * lane, width * (n_fft // 2 + 1))
        return
    half = points // 2
    tile = min(_TILE, half + half % unit)
    # a row: the low bin before a tile and its low bins, its high bins and the one after them
    row_bytes = min(row_bytes, LINE * (2 * width * (tile + 1) // LINE + 2))
    low, high = rows + width, rows + width * (tile + 1)
    write_edge_bins(real, stored, z, edge, rows, high + width * tile, row_bytes)
    for k in range(1, half + 1, tile):
        count, edges = min(tile, half + 1 - k), 1 if k == 1 else 0
        mirrored = points - k - count + 1
        for u in range(0, count, unit):
            lane = u * lanes // tile
            to = target + frame_bytes * lane + width * (u * lanes - tile * lane)
            prefetch_bins(real, stored, to + width * k, to + width * mirrored)
            above = tile - u - unit
            write_bins(
                real, stored, z, places, k + u, points - k - u - unit + 1, split, low + width * u, high + width * above,
                row_bytes,
            )  # fmt: skip
        for lane in range(valid):
            to, at, length = target + frame_bytes * lane, row_bytes * lane, width * (count + edges)
            copy(real, stored, to + width * (k - edges), low + at - width * edges, length)
            copy(real, stored, to + width * mirrored, high + at + width * (tile - count), length)


@operation("z", "places", "k", "mirrored", "split", "squared", "low", "high")
def measure_bins(
    kit: Kit, z: Any, places: Any, k: Any, mirrored: Any, split: Any, squared: Any, low: Any, high: Any
) -> None:
    """Magnitudes (or their squares) of bins ``k`` and ``mirrored``."""
    place, other = (kit.at(places, kit.times(bin_, 8)) for bin_ in (k, mirrored))
    values = _split(kit, z, place, other, kit.at(split, kit.times(k, 2 * kit.size)))
    _store_sizes(kit, squared, list(zip(values, (low, high), strict=True)))


@operation("z", "places", "k", "squared", "target")
def measure_plain_bin(kit: Kit, z: Any, places: Any, k: Any, squared: Any, target: Any) -> None:
    """Magnitude (or its square) of bin ``k`` of an odd transform."""
    value = kit.load_complex(kit.at(z, kit.integer(kit.at(places, kit.times(k, 8)))))
    _store_sizes(kit, squared, [(value, target)])


@operation("z", "edge:real", "squared", "low", "high")
def measure_edge_bins(kit: Kit, z: Any, edge: Any, squared: Any, low: Any, high: Any) -> None:
    """Magnitudes (or their squares) of bins 0 and ``n_fft / 2`` of an even transform."""
    first, factor = kit.load_complex(z), kit.spread(edge)
    for value, address in ((first.re + first.im, low), (first.re - first.im, high)):
        scaled = value * factor
        with kit.when(squared, 1):
            kit.store(scaled * scaled, address)
        with kit.when(squared, 0):
            kit.store(elementary.absolute(scaled), address)


def _store_sizes(kit: Kit, squared: Any, pairs: list[tuple[Complex, Any]]) -> None:
    with kit.when(squared, 1):
        for value, address in pairs:
            kit.store(value.energy, address)
    with kit.when(squared, 0):
        magnitudes = elementary.magnitudes([value for value, _ in pairs])
        for magnitude, (_, address) in zip(magnitudes, pairs, strict=True):
            kit.store(magnitude, address)


@inner
def measure_spectrum(real, stored, z, block, squared, edge, layout, tables):
    """Magnitudes of the one-sided bins, or their squares, one vector a bin, at ``block``.

    ``edge`` is the factor of bins 0 and ``n_fft / 2`` of an even transform.
    """
    n_fft, points, packed, _, _, _, step = layout
    _, _, places, _, split = tables
    if not packed:
        for k in range(n_fft // 2 + 1):
            measure_plain_bin(real, stored, z, places, k, squared, block + step * k)
        return
    measure_edge_bins(real, stored, z, edge, squared, block, block + step * points)
    for k in range(1, points // 2 + 1):
        mirrored = points - k
        measure_bins(real, stored, z, places, k, mirrored, split, squared, block + step * k, block + step * mirrored)


@operation("z", "places", "k", "mirrored", "split", "low", "high")
def write_real_parts_of(kit: Kit, z: Any, places: Any, k: Any, mirrored: Any, split: Any, low: Any, high: Any) -> None:
    """Real parts of bins ``k`` and ``mirrored``."""
    place, other = (kit.at(places, kit.times(bin_, 8)) for bin_ in (k, mirrored))
    values = _split(kit, z, place, other, kit.at(split, kit.times(k, 2 * kit.size)))
    for value, address in zip(values, (low, high), strict=True):
        kit.store(value.re, address)


@operation("z", "edge:real", "low", "high")
def write_edges(kit: Kit, z: Any, edge: Any, low: Any, high: Any) -> None:
    """Bins 0 and ``n_fft / 2`` of an even transform, which are real, times ``edge``."""
    first, factor = kit.load_complex(z), kit.spread(edge)
    kit.store((first.re + first.im) * factor, low)
    kit.store((first.re - first.im) * factor, high)


@inner
def real_parts(real, stored, z, block, edge, layout, tables):
    """Real parts of the bins of an even transform, one vector a bin, at ``block``; see :func:`measure_spectrum`."""
    _, points, _, _, _, _, step = layout
    _, _, places, _, split = tables
    write_edges(real, stored, z, edge, block, block + step * points)
    for k in range(1, points // 2 + 1):
        mirrored = points - k
        write_real_parts_of(real, stored, z, places, k, mirrored, split, block + step * k, block + step * mirrored)
