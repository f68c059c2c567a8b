"""The fused transforms: their Metal text, run on the CPU, against float64."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlx_spectro.design.epilogues import Decibels, Log
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import Deltas, FrameStatistic, Resample, ResampleAdjoint
from mlx_spectro.kernels.gpu import (
    bank_table,
    bins_to_samples,
    deltas,
    filterbank,
    frame_statistics,
    medians,
    overlap_add,
    peaks,
    phase_vocoder,
    projection,
    recursive_filter,
    resample,
    samples_to_bins,
)
from mlx_spectro.kernels.gpu.dialect import Launch
from mlx_spectro.kernels.gpu.plan import SHARED_BYTES, Geometry, why_not
from mlx_spectro.kernels.gpu.programs import as_floats

from ..table.case import pairwise
from ..table.measure import FLOOR, SLACK, Tally
from .kernel_host import host, phases, places, reference

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU"),
]

Array = npt.NDArray[Any]

SIZES = (16, 60, 64, 256, 320, 400, 441, 480, 512, 600, 882, 1000, 1024, 1200, 1536, 2048, 4096, 8192)
MODES = ("constant", "reflect", "replicate", "circular")
ORDERS = tuple(host.ORDERS)
DTYPES = (np.float32, np.float64)


class Errors:
    """Errors of an operation over several cases, ours and those of the same steps in float32, against float64."""

    def __init__(self) -> None:
        self._ours, self._theirs = Tally(), Tally()

    def add(self, ours: Array, theirs: Array, truth: Array, *, largest: float | None = None) -> None:
        largest = largest or np.abs(truth).max()
        for tally, result in ((self._ours, ours), (self._theirs, theirs)):
            tally.add(np.abs(result - truth) / largest)

    def check(self) -> None:
        """Ours are at most 1.5 times theirs, or two units in the last place; twice for the worst of a few thousand."""
        assert self._ours.rms <= max(SLACK * self._theirs.rms, FLOOR), (self._ours, self._theirs)
        assert self._ours.worst <= 2 * max(self._theirs.worst, FLOOR), (self._ours, self._theirs)


def run_all(launch: Launch, case: dict[str, Any], **arrays: Array) -> list[Array]:
    """What the launch makes of the arrays, after checking that it did nothing wrong."""
    compiled = host.compiled(launch.kernel)
    assert compiled.shared_bytes <= SHARED_BYTES
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    outcome = compiled.run(launch, contiguous, case["order"])
    assert outcome.wrong == {}, case
    return list(outcome.outputs.values())


def run(launch: Launch, case: dict[str, Any], **arrays: Array) -> Array:
    """The one thing that the launch makes of the arrays."""
    (out,) = run_all(launch, case, **arrays)
    return out


def hop_of(size: int, name: str) -> int:
    # an inverse walks over all frames that lie over a sample; one sample a hop would take it minutes in long frames
    least = 1 if size <= 64 else size // 12 + 1
    hops = {"one": 1, "least": least, "odd": size // 5 | 1, "quarter": size // 4, "half": size // 2}
    return hops.get(name) or {"whole": size, "beyond": size + 5}[name]


def padding_of(size: int, name: str) -> tuple[int, int]:
    return {"none": (0, 0), "centred": (size // 2, size // 2), "uneven": (3, size - 1)}[name]


def window_of(size: int) -> Array:
    return (0.54 - 0.46 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)


def noise(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def complex_noise(*shape: int) -> Array:
    return noise(*shape, 2).view(np.complex64)[..., 0]


def of_size(cases: list[dict[str, Any]], size: int) -> Iterator[dict[str, Any]]:
    return (case for case in cases if case["size"] == size)


FORWARD = list(
    pairwise(
        size=SIZES,
        hop=("one", "odd", "quarter", "whole", "beyond"),
        padding=("none", "centred", "uneven"),
        mode=MODES,
        ending=[(kind, layout) for kind in ("complex", "magnitude", "power") for layout in ("bnf", "bfn")],
        frames=(1, 7),
        rows=(1, 3),
        order=ORDERS,
        threads=(64, 128, 256),
        steps=(1, 3),
    )
)


@pytest.mark.parametrize("size", SIZES)
def test_stft_kernel_is_accurate_and_clean(size: int) -> None:
    errors, window = Errors(), window_of(size)
    for case in of_size(FORWARD, size):
        hop, (left, right) = hop_of(size, case["hop"]), padding_of(size, case["padding"])
        kind, layout = case["ending"]
        length = max(size + hop * case["frames"] + 2 - left - right, max(left, right) + 1)
        x = noise(case["rows"], length)
        theirs, truth = (reference.stft(x, window, hop, left, right, case["mode"], d) * d(0.3) for d in DTYPES)
        launch = samples_to_bins.launch(
            case["rows"],
            length,
            truth.shape[1],
            Framing(size, hop, left, right, case["mode"]),
            kind=kind,
            layout=layout,
            scale=0.3,
            geometry=Geometry(case["threads"], case["steps"]),
        )
        ours = run(launch, case, x=x, window=window)
        if kind != "complex":
            theirs, truth = (np.abs(z) ** (1 if kind == "magnitude" else 2) for z in (theirs, truth))
        errors.add(ours if layout == "bnf" else ours.swapaxes(1, 2), theirs, truth)
    errors.check()


INVERSE = list(
    pairwise(
        size=SIZES,
        hop=("least", "odd", "quarter", "half", "whole", "beyond"),
        left=("none", "centred", "all but one"),
        length=("natural", "short", "long"),
        frames=(1, 9),
        rows=(1, 2),
        order=ORDERS,
        threads=(64, 128, 256),
        steps=(1, 5),
    )
)


def part_of(case: dict[str, Any], hop: int) -> tuple[int, int]:
    """First sample and length of what an inverse STFT returns."""
    natural = case["size"] + hop * (case["frames"] - 1)
    left = {"none": 0, "centred": case["size"] // 2, "all but one": natural - 1}[case["left"]]
    return left, {"natural": natural - left, "short": max(1, hop - 1), "long": natural - left + hop + 3}[case["length"]]


@pytest.mark.parametrize("size", SIZES)
def test_istft_kernel_is_accurate_and_clean(size: int) -> None:
    errors, window = Errors(), window_of(size)
    for case in of_size(INVERSE, size):
        hop = hop_of(size, case["hop"])
        left, length = part_of(case, hop)
        z = complex_noise(case["rows"], case["frames"], size // 2 + 1)
        launch = bins_to_samples.launch(
            case["rows"],
            case["frames"],
            Framing(size, hop),
            bins_to_samples.Range(left, length),
            scale=1.7,
            geometry=Geometry(case["threads"], case["steps"]),
        )
        ours = run(launch, case, z=z, window=window)
        whole = reference.istft(z, window, hop, 0, left + length, np.float64) * 1.7
        theirs = reference.istft(z, window, hop, left, length, np.float32) * np.float32(1.7)
        errors.add(ours, theirs, whole[:, left:], largest=np.abs(whole).max())
    errors.check()


ADJOINT = list(
    pairwise(
        size=SIZES,
        hop=("least", "odd", "quarter", "beyond"),
        padding=("none", "centred", "uneven"),
        mode=MODES,
        frames=(1, 6),
        rows=(1, 4),
        gained=(False, True),
        order=ORDERS,
        threads=(128, 256),
    )
)


@pytest.mark.parametrize("size", SIZES)
def test_stft_adjoint_kernel_gives_the_padding_back(size: int) -> None:
    errors, window = Errors(), window_of(size)
    for case in of_size(ADJOINT, size):
        hop, (left, right), mode = hop_of(size, case["hop"]), padding_of(size, case["padding"]), case["mode"]
        length = max(size + hop * case["frames"] + 1 - left - right, max(left, right) + 1)
        frames = 1 + (left + length + right - size) // hop
        g = complex_noise(case["rows"], frames, size // 2 + 1)
        launches = bins_to_samples.transpose_launches(
            case["rows"],
            frames,
            Framing(size, hop, left, right, mode),
            length,
            gained=case["gained"],
            geometry=Geometry(case["threads"]),
        )
        ours, given = window, {"gain": noise(*g.shape)} if case["gained"] else {}
        for launch in launches:
            ours = run(launch, case, z=g, window=window, edges=ours, **given)
        g = g.astype(np.complex128) * given.get("gain", 1)
        theirs, truth = (reference.stft_adjoint(g, window, hop, left, right, mode, length, d) for d in DTYPES)
        # a sample that replicates sums so many errors
        copies = max(left, right, 1) if mode == "replicate" else 1
        errors.add(ours, theirs, truth, largest=np.abs(truth).max() * copies**0.5)
    errors.check()


@pytest.mark.parametrize("size", SIZES)
def test_istft_adjoint_kernel_is_the_transpose(size: int) -> None:
    errors, window = Errors(), window_of(size)
    for case in of_size(INVERSE, size):
        hop, frames = hop_of(size, case["hop"]), case["frames"]
        left, length = part_of(case, hop)
        g = noise(case["rows"], length)
        launch = samples_to_bins.launch(
            case["rows"],
            length,
            frames,
            Framing(size, hop, left),
            scale=2 / size,
            edge=0.5,
            divided=True,
            geometry=Geometry(case["threads"], case["steps"]),
        )
        ours = run(launch, case, x=g, window=window)
        errors.add(ours, *(reference.istft_adjoint(g, window, hop, left, frames, d) for d in DTYPES))
    errors.check()


@pytest.mark.parametrize("synthesis", [False, True])
def test_overlap_add_kernel_takes_any_size(synthesis: bool) -> None:
    errors = Errors()
    for size, hop, order in zip((300, 300, 300, 31, 2018), (7, 100, 300, 64, 500), ORDERS * 2, strict=False):
        frames, window = noise(2, 5, size), window_of(size)
        left, length = size // 3, size + 4 * hop
        launch = overlap_add.launch(2, 5, Framing(size, hop, left), length, synthesis=synthesis)
        ours = run(launch, {"order": order}, x=frames, window=window)
        results = []
        for d in DTYPES:
            weights: Any = window.astype(d) if synthesis else 1
            summed = reference.overlap_add(frames.astype(d) * weights, hop)
            total: Array = reference.envelope(window, hop, 5, d) if synthesis else np.ones(summed.shape[-1], d)
            quotient = np.divide(summed, total, where=total > 0, out=np.zeros_like(summed))
            results.append(np.pad(quotient, ((0, 0), (0, left)))[:, left : left + length])
        errors.add(ours, *results)
    errors.check()


def test_every_small_frame_has_a_plan_that_works() -> None:
    errors = Errors()
    for size in (size for size in range(1, 41) if not why_not(size)):
        hop, window, case = max(1, size // 2), window_of(size), {"order": "random", "size": size}
        x, z = noise(2, 3 * size), complex_noise(2, 5, size // 2 + 1)
        frames = 1 + 2 * size // hop
        launch = samples_to_bins.launch(2, 3 * size, frames, Framing(size, hop))
        ours = run(launch, case, x=x, window=window)
        errors.add(ours, *(reference.stft(x, window, hop, 0, 0, "constant", d) for d in DTYPES))
        launch = bins_to_samples.launch(2, 5, Framing(size, hop), bins_to_samples.Range(0, size + 4 * hop))
        ours = run(launch, case, z=z, window=window)
        errors.add(ours, *(reference.istft(z, window, hop, 0, size + 4 * hop, d) for d in DTYPES))
    errors.check()


FILTERED = list(
    pairwise(
        size=(16, 60, 256, 400, 441, 512, 1024, 2048, 8192),
        hop=("odd", "quarter", "whole"),
        mode=MODES,
        kind=("magnitude", "power"),
        epilogue=range(4),
        peaked=(False, True),
        count=(1, 13, 80),
        frames=(1, 7),
        rows=(1, 3),
        order=ORDERS,
        threads=(64, 128, 256),
        steps=(1, 3),
    )
)


def followed(epilogue: Log | Decibels | None, a: Array) -> Array:
    """What an epilogue makes of ``a``, by NumPy."""
    if epilogue is None:
        return a
    amin: Any = a.dtype.type(epilogue.amin)
    if isinstance(epilogue, Log):
        return np.asarray(np.log(a + amin if epilogue.added else np.maximum(a, amin)))
    zero = epilogue.multiplier * math.log10(epilogue.reference)
    return np.asarray(epilogue.multiplier * np.log10(np.maximum(a, amin)) - zero)


@pytest.mark.parametrize("size", sorted({case["size"] for case in FILTERED}))
def test_filterbank_kernel_is_accurate_and_clean(size: int) -> None:
    errors, window = Errors(), window_of(size)
    for case in of_size(FILTERED, size):
        hop, half, bins = hop_of(size, case["hop"]), size // 2, size // 2 + 1
        length = max(size + hop * case["frames"] - 2 * half, half + 1)
        x = noise(case["rows"], length)
        bank = np.maximum(0, 1 - np.abs(np.arange(bins)[:, None] - np.linspace(0, bins, case["count"])) / (bins / 20))
        theirs, truth = (
            (np.abs(reference.stft(x, window, hop, half, half, case["mode"], d)) ** (1 + (case["kind"] == "power")))
            @ bank.astype(d)
            for d in DTYPES
        )
        amin, level = 1e-2 * float(truth.max()), 0.7 * float(truth.max())
        epilogues = (None, Log(amin), Log(amin, added=True), Decibels(4.5, amin, level))
        epilogue: Log | Decibels | None = epilogues[case["epilogue"]]
        table = bank_table.pack(bank.astype(np.float32))
        launch = filterbank.launch(
            case["rows"],
            length,
            truth.shape[1],
            Framing(size, hop, half, half, case["mode"]),
            filters=bank.shape[1],
            pieces=table.pieces,
            kind=case["kind"],
            epilogue=filterbank.numbers_of(epilogue),
            peaked=case["peaked"],
            geometry=Geometry(case["threads"], case["steps"]),
        )
        ours, *parts_of = run_all(launch, case, x=x, window=window, bank=table.values)
        for parts in parts_of:
            assert np.array_equal(parts.max(axis=1), ours.max(axis=(1, 2)))
        errors.add(ours, *(followed(epilogue, a) for a in (theirs, truth)))
    errors.check()


def test_a_filter_s_weights_stay_among_the_bins() -> None:
    bank = np.zeros((9, 40))
    bank[7:, 0], bank[0, 1], bank[2:6, 39] = 1, 2, 3
    for matrix in (bank, np.ones((3, 5)), np.eye(50)):
        bins, count = matrix.shape
        for room in (0, 4, 1000):
            table = bank_table.pack(matrix.astype(np.float32), room)
            assert count <= table.pieces <= max(count, room)
            heads = table.values[: 4 * table.pieces].reshape(-1, 4).astype(int)
            begins = table.values[4 * table.pieces :][: count + 1].astype(int)
            for column, (begin, end) in zip(matrix.T, itertools.pairwise(begins), strict=True):
                dense = np.zeros(bins)
                for first, turn, weights, at in heads[begin:end]:
                    assert first + weights <= bins
                    dense[first : first + weights] += np.roll(table.values[at : at + 32 * weights : 32], turn)
                assert np.array_equal(dense, column)


@pytest.mark.parametrize("parts", [0, 1, 300])
@pytest.mark.parametrize(("frames", "count", "results"), [(1, 1, 1), (5, 80, 40), (37, 513, 12), (3, 4097, 70)])
def test_projection_kernel_is_accurate_and_clean(frames: int, count: int, results: int, parts: int) -> None:
    errors, top = Errors(), 3.0 if parts else None
    for order, rows in zip(ORDERS, (1, 2, 3), strict=True):
        x, bank = noise(rows, frames, count), noise(count, results)
        bank[: count // 3, ::2] = 0
        squared, table = rows == 2, bank_table.pack(bank.astype(np.float32), projection.MOST_PIECES)
        launch = projection.launch(
            rows, frames, count, filters=results, pieces=table.pieces, top=top, parts=parts, squared=squared
        )
        ours = run(launch, {"order": order}, x=x, bank=table.values, peaks=peaks_of(x.reshape(rows, -1), parts))
        kept = x if top is None else np.maximum(x, x.max(axis=(1, 2), keepdims=True) - np.float32(top))
        errors.add(ours, *(kept.astype(d) ** (1 + squared) @ bank.astype(d) for d in DTYPES))
    errors.check()


def peaks_of(values: Any, parts: int) -> Any:
    """Numbers ``[R, parts]`` of which the largest are those of ``values``, padded as MLX's launcher pads."""
    numbers = np.full((values.shape[0], max(parts, 1)), -1e9, np.float32)
    numbers[np.arange(values.shape[0]), np.arange(values.shape[0]) * 7 % max(parts, 1)] = values.max(axis=1)
    return np.pad(numbers.ravel(), (0, 8)) if numbers.size < 8 else numbers


@pytest.mark.parametrize(("size", "parts", "together"), [(1, 1, 1), (5000, 1, 3), (2049, 300, 2), (4096, 40, 1)])
def test_clipping_kernel_clips_below_the_peak_of_rows_together(size: int, parts: int, together: int) -> None:
    for order in ORDERS:
        x = noise(6, size)
        x[3, size // 2] = np.nan
        whole = x.reshape(6 // together, -1)
        launch = peaks.clip_launch(6, size, top=0.5, parts=parts, together=together)
        ours = run(launch, {"order": order}, x=x, peaks=peaks_of(whole, parts))
        expected = np.maximum(whole, whole.max(axis=1, keepdims=True) - np.float32(0.5)).reshape(6, size)
        # where a peak is NaN, so is everything below it
        assert np.array_equal(ours, expected, equal_nan=True)


@pytest.mark.parametrize(("size", "launches"), [(9, 0), (4096, 0), (4097, 1), (30_000, 1)])
def test_peaks_are_those_of_their_rows_and_few(size: int, launches: int) -> None:
    for order in ORDERS:
        x = noise(3, size)
        x[1, size // 3], x[2] = np.nan, -np.inf
        looking, parts, where = peaks.steps(0, 5, 3, size)
        assert len(looking) == launches
        assert parts <= peaks.MOST_PARTS
        assert where == (4 + launches if launches else 0)
        ours = x
        for launch, _ in looking:
            ours = run(launch, {"order": order}, x=ours)
        assert ours.shape == (3, parts)
        lowest = np.finfo(np.float32).min  # nothing is less, for the kernels
        assert np.array_equal(np.maximum(ours.max(axis=1), lowest), np.maximum(x.max(axis=1), lowest), equal_nan=True)


def test_peaks_of_peaks_are_looked_for_until_they_are_few() -> None:
    looking, parts, where = peaks.steps(2, 6, 1, 1 << 26)
    assert [step.inputs for step in looking] == [(2,), (6,), (7,)][: len(looking)]
    assert (where, looking[-1].launch.shapes) == (5 + len(looking), ((1, parts),))
    for before, after in itertools.pairwise(step.launch for step in looking):
        assert before.shapes == ((1, after.scalars["size"]),)


STATISTICS = list(
    pairwise(
        statistic=("norm", "crossings"),
        size=(7, 33, 2048, 5000),
        hop=("least", "quarter", "beyond"),
        padding=("none", "centred", "uneven"),
        mode=MODES,
        frames=(1, 6),
        rows=(1, 3),
        order=ORDERS,
    )
)


@pytest.mark.parametrize("case", STATISTICS, ids=str)
def test_frame_statistics_kernel_is_accurate_and_clean(case: dict[str, Any]) -> None:
    size, (left, right) = case["size"], padding_of(case["size"], case["padding"])
    hop = max(1, hop_of(size, case["hop"]))
    length = max(size + hop * case["frames"] - left - right, max(left, right) + 1)
    frames = 1 + (left + length + right - size) // hop
    x = noise(case["rows"], length)
    x[:, ::5] = 0
    x[:, 1::7] *= np.float32(1e-11)
    where = places.positions(length, left, right, case["mode"])
    framed = np.where(where < 0, 0, x[:, where])[:, places.starts(frames, size, hop)]
    op = FrameStatistic(Framing(size, hop, left, right, case["mode"]), case["statistic"])
    launch = frame_statistics.launch(op, case["rows"], length)
    ours = run(launch, case, x=x)
    if case["statistic"] == "crossings":
        negative = framed < -1e-10
        assert np.array_equal(ours, (negative[..., 1:] != negative[..., :-1]).sum(axis=-1))
        return
    errors = Errors()
    errors.add(ours, *(np.sqrt(np.square(framed.astype(d)).sum(axis=-1)) for d in DTYPES))
    errors.check()


SLOPES = list(
    pairwise(
        reach=(1, 2, 10, 130),
        length=(2, 9, 131, 700),
        mode=MODES,
        rows=(1, 3),
        order=ORDERS,
    )
)


@pytest.mark.parametrize("case", SLOPES, ids=str)
def test_deltas_kernel_is_accurate_and_clean(case: dict[str, Any]) -> None:
    length = case["length"]
    op = Deltas(min(case["reach"], length - 1), case["mode"])
    x = noise(case["rows"], length)
    matrix, sizes = (places.slopes(length, op.reach, op.pad_mode, of) for of in (False, True))
    for kind, defined, size_of in ((op, matrix.T, sizes.T), (op.transpose(x.shape), matrix, sizes)):
        errors = Errors()
        ours = run(deltas.launch(kind, case["rows"], length), case, x=x)
        # terms cancel, of few values nearly all
        largest = float((np.abs(x) @ size_of).max())
        errors.add(ours, *(x.astype(d) @ defined.astype(d) for d in DTYPES), largest=largest)
        errors.check()


MIDDLES = list(
    pairwise(
        size=(1, 2, 5, 31, 127),
        length=(1, 3, 40, 300),
        apart=(1, 7, 150),
        rows=(1, 3),
        kind=("noise", "ties", "infinite", "nan"),
        order=ORDERS,
    )
)


@pytest.mark.parametrize("case", MIDDLES, ids=str)
def test_medians_kernel_is_exact_and_clean(case: dict[str, Any]) -> None:
    x = noise(case["rows"], case["length"], case["apart"])
    x = np.round(x) if case["kind"] == "ties" else x
    if case["kind"] in ("infinite", "nan"):
        x[:, ::3] = np.nan if case["kind"] == "nan" else -np.inf
    ours = run(medians.launch(case["size"], *x.shape), case, x=x)
    # NaN is sorted behind all numbers
    np.testing.assert_array_equal(ours, places.medians(x, case["size"], 1))


RESAMPLED = list(
    pairwise(
        # whole frames, one or many a threadgroup; phases of one; next to no phases
        rates=((2, 3), (3, 2), (1, 4), (4, 1), (160, 147), (441, 160), (1279, 1601), (1, 1)),
        reach=(0, 3, 40),
        length=(1, 29, 3000),
        rows=(1, 3),
        spoiled=(False, True),
        order=ORDERS,
    )
)


@pytest.mark.parametrize("case", RESAMPLED, ids=str)
def test_resample_kernel_is_accurate_and_clean(case: dict[str, Any]) -> None:
    (orig, new), reach, length = case["rates"], case["reach"], case["length"]
    op, weights, x = Resample(orig, new, reach), noise(new, 2 * reach + 1), noise(case["rows"], length)
    matrix = places.resampling(length, op, weights)
    options = (orig, new, reach)
    for kind, defined, of in ((op, matrix.T, None), (op.transpose(x.shape), matrix, options)):
        values = x if kind is op else noise(*op.shape(x.shape))
        assert isinstance(kind, Resample | ResampleAdjoint)
        design, spoils = resample.filter_of(kind), np.zeros(values.shape, bool)
        if case["spoiled"]:
            spoils[-1, values.shape[1] // 2] = True
        launch = resample.launch(design, len(values), values.shape[1], defined.shape[1])
        given = np.where(spoils, np.float32(np.inf), values)
        ours, errors = run(launch, case, x=given, bank=long_enough(resample.by_taps(weights, of).values)), Errors()
        clean = np.where(spoils, np.float32(0), values)
        theirs, truth = (clean.astype(d) @ defined.astype(d) for d in DTYPES)
        spoiled = places.resampling_spoils(kind, spoils, defined.shape[1])
        assert np.array_equal(~np.isfinite(ours), spoiled)
        # where a result is of one sample, or of none, rounding is nothing to compare with
        largest = max(float((np.abs(clean) @ np.abs(defined)).max()), 1e-30)
        errors.add(np.where(spoiled, truth, ours), theirs, truth, largest=largest)
        errors.check()


def long_enough(values: Array) -> Array:
    """What MLX would not put into constant memory."""
    return np.pad(values.ravel(), (0, 8))


@pytest.mark.parametrize(
    "rates", [(1, 3), (3, 1), (147, 160), (160, 147), (441, 160), (12699, 16000), (1, 1), (5, 2000)]
)
@pytest.mark.parametrize("frames", [1, 37, 100_000])
def test_a_tile_of_resampled_audio_fits_and_leaves_few_threads_idle(rates: tuple[int, int], frames: int) -> None:
    orig, new = rates
    reach = 7 * math.ceil(max(1, orig / new))
    at_once, turns, phases = resample.tile_of(resample.Filter(orig, new, reach, reach, False), 2, frames)
    taken = phases == new
    assert taken or at_once == turns == 1
    assert at_once * turns <= max(at_once, 2 * frames)
    if frames > 1000:
        assert turns * phases >= min(new, resample._THREADS)


def _poles(*poles: complex) -> Array:
    return np.poly(poles).real.astype(np.float32)


# feedback and feedforward
FILTERS: dict[str, tuple[Any, Any]] = {
    "resonance": (_poles(0.9 + 0.3j, 0.9 - 0.3j), [0.2, 0.3, 0.2]),
    # a highpass of 40 Hz at 44.1 kHz
    "near the unit circle": (_poles(0.996 + 0.004j, 0.996 - 0.004j), [1.0, -2.0, 1.0]),
    "not normalized": ([2.0, -1.9], [0.5, 0.2]),
    "no feedback": ([4.0], [1.0, -0.9, 0.1]),
    "four poles": (_poles(0.9 + 0.1j, 0.9 - 0.1j, 0.5j, -0.5j), [0.1, 0.2, 0.3, 0.2, 0.1]),
    "no feedforward": (_poles(0.9, -0.5), [1.0]),
    "unstable": (_poles(1.001, 0.3), [1.0, 0.0, 0.5]),
}
RECURSIONS = list(
    pairwise(
        name=FILTERS,
        # a stretch, a tile, several tiles
        length=(1, 33, 4096, 9001),
        rows=(1, 4),
        filters=(1, 2),
        backward=(False, True),
        clamped=(False, True),
        order=ORDERS,
    )
)


def filtered(case: dict[str, Any], x: Array, a: Array, b: Array, **options: Any) -> Array:
    """What the launches make of rows, by as many filters as there are coefficients."""
    arrays = {"x": x, "a": a, "b": b, "ends": np.zeros(8, np.float32)}
    if len(b) > 1:
        options["filters"] = len(b)
    rows, length = x.shape
    launches = recursive_filter.launches(rows, length, a.shape[-1] - 1, b.shape[-1] - 1, **options)
    for launch in launches:
        (out,) = run_all(launch, case, **{name: long_enough(array) for name, array in arrays.items()})
        arrays["ends"] = out
    assert len(launches) == (2 if x.shape[1] > recursive_filter.TILE and a.shape[-1] > 1 else 1)
    return out


def in_double(x: Array, a: Array, b: Array, backward: bool) -> Array:
    """The recursion, sample by sample, of rows by filters in turn."""
    rows = x[:, ::-1] if backward else x
    y = np.zeros(rows.shape)
    for row, signal in enumerate(rows.astype(np.float64)):
        # coefficients are divided in their own precision
        feedback, feedforward = (c[row % len(c)] / a[row % len(a), :1] for c in (a, b))
        heard = np.convolve(signal, feedforward.astype(np.float64))[: signal.size]
        for t in range(signal.size):
            earlier = range(1, min(t, feedback.size - 1) + 1)
            y[row, t] = heard[t] - sum(float(feedback[k]) * y[row, t - k] for k in earlier)
    return y[:, ::-1] if backward else y


@pytest.mark.parametrize("case", RECURSIONS, ids=str)
def test_recursive_filter_kernels_are_accurate_and_clean(case: dict[str, Any]) -> None:
    a, b = (np.tile(np.array(c, np.float32), (case["filters"], 1)) for c in FILTERS[case["name"]])
    b[-1] *= 2
    x = noise(case["rows"], case["length"])
    truth = in_double(x, a, b, case["backward"])
    if case["clamped"]:
        x = (x / (0.5 * np.abs(truth).max())).astype(np.float32)
        truth = np.clip(in_double(x, a, b, case["backward"]), -1, 1)
    ours = filtered(case, x, a, b, backward=case["backward"], clamped=case["clamped"])
    # a result is rounded once; what is computed has twice a float's digits, of which poles so near cost a few
    limit = np.finfo(np.float32).eps * np.abs(truth).max()
    assert np.abs(ours - truth).max() <= limit, case


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_spoils_all_that_is_filtered_after_it(name: str, bad: float) -> None:
    a, b = (np.array(c, np.float32)[None] for c in FILTERS[name])
    x = 0.1 * noise(2, 9001)
    x[0, 4000] = bad
    ours = filtered({"order": "random"}, x, a, b)
    spoiled = np.arange(9001) - 4000
    expected = (spoiled >= 0) & (spoiled < (b.shape[1] if a.shape[1] == 1 else 9001))
    assert np.array_equal(~np.isfinite(ours), np.stack([expected, np.zeros_like(expected)]))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("rate", [0.07, 0.83, 1.0, 2.5])
@pytest.mark.parametrize(("rows", "count", "bins"), [(1, 1, 1), (3, 12, 9), (2, 120, 129)])
def test_phase_vocoder_kernels_are_accurate_and_clean(
    rows: int, count: int, bins: int, rate: float, order: str
) -> None:
    z = complex_noise(rows, count, bins)
    # of 0, the sign of the real part is a direction
    z[-1, count // 2, 0], z[0, count // 3, bins // 2] = 0, -0.0
    frames, fractions = phases.steps(count, rate)
    truth = phases.vocoded(z, frames, fractions)
    assert np.abs(vocoded(z, frames, fractions, order) - truth).max() <= vocoder_limit(frames, truth)


def vocoder_limit(frames: Array, truth: Array) -> float:
    """Of as many turns, each of a few roundings."""
    limit: float = 8 * np.finfo(np.float32).eps * (frames.shape[1] + 2) * np.abs(truth).max()
    return limit


def vocoded(z: Array, frames: Array, fractions: Array, order: str) -> Array:
    """What the launches make of a spectrum."""
    weights = {"frames": as_floats(frames).values, "fractions": as_floats(fractions).values}
    arrays = {"x": z, "turns": np.zeros(8, np.complex64), **weights}
    rows, count, bins = z.shape
    launches = phase_vocoder.launches(rows, count, bins, frames.shape[1])
    for launch in launches:
        (out,) = run_all(launch, {"order": order}, **{name: long_enough(array) for name, array in arrays.items()})
        arrays["turns"] = out
    assert len(launches) == (2 if frames.shape[1] > phase_vocoder.STRETCH else 1)
    return out


def test_an_infinite_bin_has_a_direction_and_nan_spoils_its_bin_from_there_on() -> None:
    z = complex_noise(1, 50, 3)
    z[0, 20, 0], z[0, 20, 1] = complex(-np.inf, 1), np.nan
    large = z.copy()
    large[0, 20, 0] = -1e30
    frames, fractions = phases.steps(50, 0.7)
    ours, like = (vocoded(each, frames, fractions, "forward")[0] for each in (z, large))
    touched = np.any(frames == 20, axis=0)
    assert np.array_equal(~np.isfinite(ours[:, 0]), touched)
    directions = np.abs(ours[~touched, 0] - like[~touched, 0]) / np.abs(like[~touched, 0])
    assert directions.max() <= vocoder_limit(frames, np.ones(1))
    after = np.flatnonzero(np.any(frames[:2] == 20, axis=0))[0]
    assert np.array_equal(np.isnan(ours[:, 1]), touched | (np.arange(len(ours)) > after))
    assert np.isfinite(ours[:, 2]).all()
