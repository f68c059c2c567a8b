"""Convolution of NumPy arrays: by overlap-add of blocks, or block by block of both if neither is short.

T. G. Stockham, "High-speed convolution and correlation", AFIPS Spring Joint Computer Conference, 1966.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...design.framing import Framing
from ...design.operators import Convolve, Correlate, Stft, StftAdjoint
from .runtime.compile import kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.memory import address_of, address_to_write, advised
from .runtime.threads import share
from .runtime.vector import VECTOR_BYTES, Kit, integer, operation
from .stft import stft, stft_adjoint

Array = npt.NDArray[Any]
# sizes of transforms: of fewer, spectra are no vector of bins; of more, a vector of frames leaves the cache
_SIZES = tuple(1 << k for k in range(6, 16))
# what a product costs, in points of a transform over the logarithm of their number
_PRODUCT = 1.3


@operation("z", "h", "frame_bytes", "count", "target", "vectors", "last")
def add_products(kit: Kit, z: Any, h: Any, frame_bytes: Any, count: Any, target: Any, vectors: Any, last: Any) -> None:
    """Sums of products of ``count`` spectra from ``z`` backward and from ``h`` on, as many vectors of bins.

    Args:
        last: Where the last vector begins, in bytes, of which others may have a part.
    """

    def add(at: Any) -> None:
        re, im = kit.variable(), kit.variable()
        with kit.loop(count) as j:
            apart = kit.times(j, frame_bytes)
            one = kit.load_pairs(kit.builder.sub(kit.at(z, at), apart))
            product = one.times(kit.load_pairs(kit.at(kit.at(h, at), apart)))
            kit.put(re, kit.get(re) + product.re)
            kit.put(im, kit.get(im) + product.im)
        kit.store_pairs(type(product)(kit.get(re), kit.get(im)), kit.at(target, at))

    with kit.loop(vectors) as i:
        add(kit.times(i, 2 * kit.step))
    add(last)


@kernel
def multiply_spectra(real, width, signals, frames, filters, pieces, out, first, last):
    """Spectra of a convolution's blocks from ``first`` up to ``last``, counted through all signals.

    Args:
        width: Bytes of a spectrum.
        signals, filters: Where addresses of each signal's spectra lie, and of its filter's.
        frames, pieces: How many either has.
    """
    blocks = frames + pieces - 1
    state = flush_denormals(real, real)
    vectors = (width - 1) // (2 * VECTOR_BYTES)
    for i in range(first, last):
        row, block = divmod(i, blocks)
        low, high = max(0, block - frames + 1), min(block, pieces - 1)
        z = integer(real, real, signals, row) + width * (block - low)
        h = integer(real, real, filters, row) + width * low
        add_products(real, real, z, h, width, high - low + 1, out + width * i, vectors, width - 2 * VECTOR_BYTES)
    restore_state(real, real, state)


class Blocks(NamedTuple):
    """How signals are cut: blocks of ``hop`` samples, each transformed with zeros after it."""

    n_fft: int
    hop: int

    def count(self, length: int) -> int:
        """Blocks of a signal."""
        return -(-length // self.hop)

    def spectra(self, x: Array, real: np.dtype[Any], scale: float = 1.0) -> Array:
        """Spectra ``[..., blocks, F]`` of ``x [..., T]``; one for all along axes where it repeats."""
        x = x[tuple(slice(None if stride else 1) for stride in x.strides[:-1])].astype(real, copy=False)
        after = self.count(x.shape[-1]) * self.hop - x.shape[-1] + self.n_fft - self.hop
        window = np.zeros(self.n_fft, real)
        window[: self.hop] = 1
        return stft(Stft(Framing(self.n_fft, self.hop, right=after), scale), x, window, out=None, precise=False)


@functools.lru_cache(256)
def blocks_for(length: int, taps: int, lanes: int) -> tuple[Blocks, Blocks]:
    """The blocks of a signal and of its filter by which they are convolved soonest; a batch is its signals one by one.

    Args:
        lanes: Blocks that are transformed at once, be they fewer.
    """

    def cost(blocks: tuple[Blocks, Blocks]) -> float:
        n_fft, frames, pieces = blocks[0].n_fft, blocks[0].count(length), blocks[1].count(taps)
        results = frames + pieces - 1
        transforms = sum(-(-count // lanes) * lanes for count in (frames, pieces, results))
        return n_fft * (transforms * math.log2(n_fft) + _PRODUCT * results * min(frames, pieces))

    return min((_blocks(n_fft, taps) for n_fft in _SIZES), key=cost)


def _blocks(n_fft: int, taps: int) -> tuple[Blocks, Blocks]:
    """Blocks of a filter as a whole, if it is short for them, and of as many samples as it leaves; or all alike."""
    hop = n_fft // 2
    return (Blocks(n_fft, n_fft - taps + 1), Blocks(n_fft, taps)) if taps <= hop else (Blocks(n_fft, hop),) * 2


def _addresses(spectra: Array, lead: tuple[int, ...]) -> Array:
    """Where the spectra ``[..., blocks, F]`` of each signal lie."""
    first, different = address_of(spectra), spectra.shape[:-2]
    each = np.arange(first, first + spectra.nbytes, spectra.nbytes // math.prod(different))
    return each if different == lead else np.broadcast_to(each.reshape(different), lead).ravel()


def _convolved(x: Array, y: Array, start: int, length: int, out: Array | None, precise: bool) -> Array:
    """``length`` samples of the convolution of ``x [..., N]`` with ``y [..., M]``, from sample ``start`` on."""
    kind, real = x.dtype, np.dtype(np.float64) if precise else x.dtype
    lead, number = x.shape[:-1], real.type(1)
    if not x.size:
        return np.empty((*lead, length), kind) if out is None else out
    if y.shape[:-1] != lead:
        y = np.broadcast_to(y, (*lead, y.shape[-1]))
    if x.shape[-1] < y.shape[-1]:
        x, y = y, x
    blocks, filter_blocks = blocks_for(x.shape[-1], y.shape[-1], VECTOR_BYTES // real.itemsize)
    n_fft = blocks.n_fft
    z, h = blocks.spectra(x, real), filter_blocks.spectra(y, real, 2 / n_fft)
    # what is its own mirror image counts once
    parts = h.view(real)
    parts[..., :2] *= 0.5
    parts[..., -2:] *= 0.5
    frames, pieces = z.shape[-2], h.shape[-2]
    products = advised(np.empty((*lead, frames + pieces - 1, n_fft // 2 + 1), z.dtype))
    places = [_addresses(each, lead) for each in (z, h)]
    signals, filters = map(address_of, places)
    width, to = products.strides[-2], address_to_write(products)

    def work(first: int, last: int) -> None:
        multiply_spectra(number, width, signals, frames, filters, pieces, to, first, last)

    held = z, h, products, places
    share(work, products.size // products.shape[-1], 1, n_fft * (1 + min(frames, pieces) // 4), held)
    adjoint, ones = StftAdjoint(Framing(n_fft, blocks.hop, start), length), np.ones(n_fft, real)
    direct = out is not None and out.dtype == real
    result = stft_adjoint(adjoint, products, ones, out=out if direct else None, precise=False)
    finite = np.isfinite(result).all(axis=-1)
    if not finite.all():
        result[~finite] = np.nan
    if out is None:
        return result.astype(kind, copy=False)
    if not direct:
        out[...] = result
    return out


def convolve(op: Convolve, x: Array, y: Array, *, out: Array | None, precise: bool) -> Array:
    """Convolution ``[..., N + M - 1]`` of ``x [..., N]`` with ``y [..., M]``."""
    op.check(x.shape)
    return _convolved(x, y, 0, x.shape[-1] + y.shape[-1] - 1, out, precise)


def correlate(op: Correlate, x: Array, y: Array, *, out: Array | None, precise: bool) -> Array:
    """Sums ``[..., length]`` of ``y [..., M]`` times ``x [..., length + M - 1]``, ever later."""
    op.check(x.shape)
    return _convolved(x, y[..., ::-1], y.shape[-1] - 1, op.length, out, precise)


RUN = {Convolve: convolve, Correlate: correlate}
