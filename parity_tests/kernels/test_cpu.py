"""Host kernels against the definitions of what they compute, in double precision."""

from __future__ import annotations

import importlib
import itertools
import math
import pkgutil
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlx_spectro.design import envelope, operators
from mlx_spectro.design.epilogues import Decibels, Log
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import Deltas, Filterbank, Istft, Medians, Resample, Spectrogram, Stft
from mlx_spectro.kernels import cpu

from ..table.case import pairwise
from .kernel_host import places

if not cpu.available():
    pytest.skip("host kernels need numba", allow_module_level=True)

Array = npt.NDArray[Any]
_PADS = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
LENGTHS = (16, 32, 60, 63, 64, 101, 147, 256, 400, 441, 486, 512, 625, 1000, 1022, 1024, 1536, 2048)


def frames_of(x: Array, n_fft: int, hop: int, left: int, right: int, pad_mode: str) -> Array:
    """Frames ``[..., N, n_fft]`` in double precision."""
    widths = [(0, 0)] * (x.ndim - 1) + [(left, right)]
    padded = np.pad(x.astype(np.float64), widths, mode=_PADS[pad_mode])  # type: ignore[call-overload]
    return np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=-1)[..., ::hop, :]


def defined_stft(x: Array, window: Array, o: dict[str, Any]) -> Array:
    """The definition of :class:`Stft`."""
    frames = frames_of(x, window.size, o["hop_length"], o["left"], o["right"], o["pad_mode"])
    transform = np.fft.rfft if o["onesided"] else np.fft.fft
    return transform(frames * (window.astype(np.float64) * o["scale"]))


def defined_istft(z: Array, window: Array, hop: int, left: int, length: int, scale: float) -> Array:
    """The definition of :class:`Istft`: overlapped windowed frames over the squared windows' sum."""
    n_fft, count = window.size, z.shape[-2]
    frames = np.fft.irfft(z[..., : n_fft // 2 + 1].astype(np.complex128), n=n_fft) * window * scale
    total = np.zeros((*z.shape[:-2], (count - 1) * hop + n_fft))
    weight = np.zeros(total.shape[-1])
    for i in range(count):
        total[..., i * hop : i * hop + n_fft] += frames[..., i, :]
        weight[i * hop : i * hop + n_fft] += window.astype(np.float64) ** 2
    whole = np.divide(total, weight, where=weight >= envelope.FLOOR, out=np.zeros_like(total))
    result = np.zeros((*z.shape[:-2], length))
    kept = whole[..., left : left + length]
    result[..., : kept.shape[-1]] = kept
    return result


def stft_of(window: Array, o: dict[str, Any]) -> Stft:
    """The STFT of options as :func:`defined_stft` takes them."""
    framing = Framing(window.size, o["hop_length"], o.get("left", 0), o.get("right", 0), o.get("pad_mode", "constant"))
    return Stft(framing, o.get("scale", 1.0), o.get("onesided", True))


def stft(x: Array, window: Array, *, out: Array | None = None, **options: Any) -> Array:
    return cpu.run(stft_of(window, options), x, window, out=out)


def noise(shape: tuple[int, ...], dtype: Any = np.float32, seed: int = 0) -> Array:
    x = np.random.default_rng(seed).standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        return (x + 1j * np.random.default_rng(seed + 1).standard_normal(shape)).astype(dtype)
    return x.astype(dtype)


def hann(n: int, dtype: Any = np.float32) -> Array:
    return (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.25) / n)).astype(dtype)


def bound(dtype: Any, n_fft: int, terms: int = 1) -> float:
    """Relative to the largest value: a transform's rounding, by Higham's bound, and a few more operations'."""
    eps = float(np.finfo(dtype).eps)
    return eps * (4 + 2 * math.log2(max(n_fft, 2))) * terms


def close(found: Array, truth: Array, limit: float) -> None:
    assert found.shape == truth.shape
    assert np.abs(found - truth).max(initial=0) <= limit * np.abs(truth).max(initial=0)


CROSSED = list(
    pairwise(
        n_fft=LENGTHS,
        overlap=(0.06, 0.25, 0.5, 1.0, 1.3),
        pad_mode=tuple(_PADS),
        centred=(True, False),
        onesided=(True, False),
        dtype=(np.float32, np.float64),
        shape=((), (1,), (3,), (2, 2)),
        length=(1, 3, 17),
    )
)


@pytest.mark.parametrize("o", CROSSED, ids=str)
def test_stft_and_its_transpose_are_their_definitions(o: dict[str, Any]) -> None:
    n_fft, dtype = o["n_fft"], o["dtype"]
    hop, half = max(1, int(n_fft * o["overlap"])), n_fft // 2 if o["centred"] else 0
    length = n_fft + o["length"] * hop + 1
    options = {
        "hop_length": hop,
        "left": half,
        "right": half,
        "pad_mode": o["pad_mode"],
        "scale": 0.7,
        "onesided": o["onesided"],
    }
    x, window = noise((*o["shape"], length), dtype), hann(n_fft, dtype)
    op = stft_of(window, options)
    z = cpu.run(op, x, window)
    assert z.shape == op.shape(x.shape)
    assert z.dtype == np.result_type(dtype, np.complex64)
    close(z, defined_stft(x, window, options), bound(dtype, n_fft))
    if dtype == np.float32:
        # precisely: rounded once, a value by half a unit in its own last place
        close(cpu.run(op, x, window, precise=True), defined_stft(x, window, options), 1.2e-7)
    # <A x, g> = <x, A* g>, exactly but for rounding
    g = noise(z.shape, z.dtype, seed=3)
    back = cpu.run(op.transpose(x.shape), g, window)
    there = np.vdot(z.astype(np.complex128), g).real
    here = np.dot(x.astype(np.float64).ravel(), back.astype(np.float64).ravel())
    assert abs(there - here) <= bound(dtype, n_fft) * np.linalg.norm(z) * np.linalg.norm(g)


@pytest.mark.parametrize("n_fft", [480, 960, 1470, 630, 225, 441])
def test_coprime_factors_need_no_twiddles(n_fft: int) -> None:
    from mlx_spectro.kernels.cpu.fft import plan

    passes = plan(n_fft, "float64")
    assert passes is not None
    assert len(passes.rings) > 0
    framing, window = Framing(n_fft, n_fft), np.ones(n_fft)
    x = noise((3, 9 * n_fft), np.float64)
    z = cpu.run(Stft(framing), x, window)
    close(z, np.fft.rfft(x.reshape(3, 9, n_fft)), bound(np.float64, n_fft))
    close(cpu.run(Istft(framing, 9 * n_fft), z, window), x, 2 * bound(np.float64, n_fft))


@pytest.mark.parametrize("n_fft", [64, 256, 512, 1024, 400, 480, 600, 960, 1200])
def test_a_transform_in_single_precision_errs_as_little_as_promised(n_fft: int) -> None:
    framing, window = Framing(n_fft, n_fft), np.ones(n_fft, np.float32)
    x = noise((1, 200 * n_fft))
    truth = np.fft.rfft(x.astype(np.float64).reshape(200, n_fft))
    z = cpu.run(Stft(framing), x, window)
    assert np.linalg.norm(z[0] - truth) <= 1.15e-7 * np.linalg.norm(truth)
    back = np.fft.irfft(z[0].astype(np.complex128), n_fft).ravel()
    audio = cpu.run(Istft(framing, x.size), z, window)
    assert np.linalg.norm(audio[0] - back) <= 1.15e-7 * np.linalg.norm(back)


def test_windows_are_scaled_in_double_precision() -> None:
    from mlx_spectro.kernels.cpu.weights import scaled

    window, factor = hann(1000), 1 / 1000
    weights, _ = scaled(window.tobytes(), window.dtype, factor, np.dtype(np.float32))
    # 0.001 itself is 5e-8 off in single precision
    assert np.array_equal(weights, np.float32(window.astype(np.float64) * factor))


@pytest.mark.parametrize("o", CROSSED, ids=str)
def test_istft_and_its_transpose_are_their_definitions(o: dict[str, Any]) -> None:
    n_fft, dtype = o["n_fft"], o["dtype"]
    hop = max(1, int(n_fft * min(o["overlap"], 1.0)))
    left, count = n_fft // 2 if o["centred"] else 0, 3 + o["length"]
    length = max(1, (count - 1) * hop + n_fft - 2 * left - 2 + (9 if o["pad_mode"] == "reflect" else 0))
    bins = n_fft // 2 + 1 if o["onesided"] else n_fft
    z = noise((*o["shape"], count, bins), np.result_type(dtype, np.complex64))
    if o["pad_mode"] == "constant":
        z = np.ascontiguousarray(z.swapaxes(-1, -2)).swapaxes(-1, -2)
    window = hann(n_fft, dtype)
    op = Istft(Framing(n_fft, hop, left), length, 0.7, o["onesided"])
    y = cpu.run(op, z, window)
    assert y.dtype == dtype
    close(y, defined_istft(z, window, hop, left, length, 0.7), bound(dtype, n_fft, 2))
    g = noise(y.shape, dtype, seed=4)
    back = cpu.run(op.transpose(z.shape), g, window)
    there = np.dot(y.astype(np.float64).ravel(), g.astype(np.float64).ravel())
    assert abs(there - np.vdot(z.astype(np.complex128), back).real) <= bound(dtype, n_fft, 2) * (
        np.linalg.norm(y) * np.linalg.norm(g)
    )


@pytest.mark.parametrize(
    "o",
    list(
        pairwise(
            n_fft=(60, 101, 400, 1024),
            power=(1.0, 2.0, 1.5),
            filters=(1, 13, 80),
            epilogue=(None, Log(1e-3), Log(1e-3, added=True), Decibels(10.0, 1e-3, 2.0)),
            filters_first=(True, False),
            dtype=(np.float32, np.float64),
            precise=(False, True),
            shape=((), (3,)),
        )
    ),
    ids=str,
)
def test_filterbank_is_its_definition(o: dict[str, Any]) -> None:
    n_fft, dtype, epilogue = o["n_fft"], o["dtype"], o["epilogue"]
    x, window = noise((*o["shape"], 5 * n_fft), dtype), hann(n_fft)
    bank = np.maximum(0, noise((n_fft // 2 + 1, o["filters"]), np.float64, seed=5))
    options = {"hop_length": n_fft // 3, "left": n_fft // 2, "right": n_fft // 2, "pad_mode": "reflect"}
    shape = (*o["shape"], 1 + 5 * n_fft // (n_fft // 3), o["filters"])
    out = np.empty(shape, dtype)
    if o["filters_first"]:
        out = np.empty((*shape[:-2], shape[-1], shape[-2]), dtype).swapaxes(-1, -2)
    framing, precise = stft_of(window, options).framing, o["precise"]
    op = Filterbank(framing, o["power"], epilogue=epilogue)
    found = cpu.run(op, x, window, bank, precise=precise, out=out)
    assert found is out
    s = np.abs(defined_stft(x, window, {**options, "onesided": True, "scale": 1.0})) ** o["power"]
    close(cpu.run(Spectrogram(framing, o["power"]), x, window, precise=precise), s, bound(dtype, n_fft, 2))
    truth = s @ bank
    # a relative error of the largest value is that of all that lie within a factor of 100 of it
    limit = 100 * bound(dtype, n_fft, 2)
    if epilogue is None:
        close(found, truth, bound(dtype, n_fft, 2))
    elif isinstance(epilogue, Log):
        close(found, np.log(truth + 1e-3 if epilogue.added else np.maximum(truth, 1e-3)), limit)
    else:
        close(found, 10 * (np.log10(np.maximum(truth, 1e-3)) - np.log10(2.0)), limit)


DELTAS = list(
    pairwise(
        reach=(1, 2, 4, 60, 700),
        length=(1, 7, 61, 1401, 5000),
        pad_mode=tuple(_PADS),
        dtype=(np.float32, np.float64),
        shape=((), (1,), (3, 2)),
        precise=(False, True),
        backwards=(False, True),
    )
)


@pytest.mark.parametrize("o", DELTAS, ids=str)
def test_deltas_and_their_transpose_are_their_definitions(o: dict[str, Any]) -> None:
    length, dtype = o["length"], o["dtype"]
    op = Deltas(min(o["reach"], length - 1) or 1, o["pad_mode"] if length > 1 else "replicate")
    x = noise((*o["shape"], length), dtype)
    x = x[..., ::-1] if o["backwards"] else x
    matrix, sizes = (places.slopes(length, op.reach, op.pad_mode, of) for of in (False, True))
    # a sum of so many terms, each of which is rounded, and is at most as large as the sum of their magnitudes
    limit = float(np.finfo(dtype).eps) * (2 * op.reach + 3)
    for kernel, defined, size_of in ((op, matrix.T, sizes.T), (op.transpose(x.shape), matrix, sizes)):
        found = cpu.run(kernel, x, precise=o["precise"])
        assert found.dtype == (np.float64 if o["precise"] else dtype)
        truth, size = x.astype(np.float64) @ defined, np.abs(x.astype(np.float64)) @ size_of
        assert (np.abs(found - truth) <= limit * size).all()
        for memory in (np.empty_like(found), np.empty((length, *o["shape"]), found.dtype)):
            out = memory if memory.shape == found.shape else np.moveaxis(memory, 0, -1)
            assert cpu.run(kernel, x, out=out, precise=o["precise"]) is out
            assert np.array_equal(out, found)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_spoils_the_slopes_it_is_part_of(bad: float) -> None:
    x = noise((2, 5000))
    x[0, 2047] = bad
    for op in (Deltas(3), Deltas(3).transpose(x.shape)):
        spoiled = np.flatnonzero(~np.isfinite(cpu.run(op, x)[0]))
        assert np.array_equal(spoiled, np.arange(2044, 2051))


@pytest.mark.parametrize("size", [1, 2, 8, 17, 24, 31, 32, 70])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_medians_are_those_of_sorted_windows(size: int, dtype: Any) -> None:
    # many equal values, and axes that are shorter than windows, vectors and what is turned at once
    rng = np.random.default_rng(95)
    for shape in ((9,), (1, 5), (70, 3), (3, 70), (2, 33, 19), (20, 2, 21), (4, 9, 9)):
        x = rng.integers(0, 9, shape).astype(dtype)
        views = [x, x.T, x[..., ::-2], x[::-1], np.broadcast_to(x[:1], shape), np.asfortranarray(x)]
        for y, axis in itertools.product(views, range(-x.ndim, 0)):
            rows = np.moveaxis(y, axis, -1)
            widths = [(0, 0)] * (x.ndim - 1) + [(size // 2, size - 1 - size // 2)]
            windows = np.lib.stride_tricks.sliding_window_view(np.pad(rows, widths, mode="symmetric"), size, axis=-1)
            defined = np.moveaxis(np.sort(windows, axis=-1)[..., size // 2], -1, axis)
            out = np.empty_like(y, order="C")
            np.testing.assert_array_equal(cpu.run(Medians(size, axis), y), defined)
            np.testing.assert_array_equal(cpu.run(Medians(size, axis), y, out=out), defined)
            np.testing.assert_array_equal(out, defined)


@pytest.mark.parametrize("beyond", [-50.0, -math.inf])
@pytest.mark.parametrize(("states", "reach"), [(9, 1), (30, 4), (5, 4)])
def test_the_likeliest_path_is_that_of_all_moves(states: int, reach: int, beyond: float) -> None:
    # whole numbers are added exactly, and are often equal
    rng = np.random.default_rng(98)
    apart = np.abs(np.subtract.outer(np.arange(states), np.arange(states)))
    own, other = (np.where(apart <= reach, -rng.integers(1, 9, apart.shape), beyond) for _ in range(2))
    moves = np.block([[own, other], [other, own]])
    first, second = -rng.integers(0, 60, (40, states)).astype(float), -rng.integers(0, 30, 40).astype(float)
    observed = np.hstack([first, np.repeat(second[:, None], states, axis=1)])
    likelihoods, before = [observed[0] - 3.0], []
    for seen in observed[1:]:
        ways = likelihoods[-1][:, None] + moves
        before.append(ways.argmax(axis=0))
        likelihoods.append(seen + ways.max(axis=0))
    path = [int(likelihoods[-1].argmax())]
    for origins in reversed(before):
        path.append(int(origins[path[-1]]))
    found = cpu.Bands.of(own, other, reach, beyond).likeliest_path(first, second, -3.0)
    assert found.tolist() == path[::-1]


@pytest.mark.parametrize("power", [1, 2, 0.7, 4, math.inf])
@pytest.mark.parametrize("kind", ["f", "d", "F", "D"])
def test_soft_masks_are_shares_of_powers(kind: str, power: float) -> None:
    single = kind in "fF"
    real, eps = (np.float32, 2.0**-23) if single else (np.float64, 2.0**-52)
    first, second = (np.abs(noise((5, 7, 3), real)) for _ in range(2))
    first[1, :3], second[1, 1:5] = 0, 0
    values = noise((5, 7, 3), np.dtype(kind).type)
    a, b = (x.astype(np.longdouble) for x in (first, second))
    for margins, empty in (((1.0, 1.0), 0.5), ((2.0, 3.0), 0.0)):
        pairs = ((a, b * margins[0]), (b, a * margins[1]))
        with np.errstate(invalid="ignore"):
            if math.isinf(power):
                defined = [np.where(x > y, 1.0, 0.0) for x, y in pairs]
            else:
                defined = [np.where(x + y == 0, empty, x**power / (x**power + y**power)) for x, y in pairs]
        masks = cpu.softmasks(first.copy(), second.copy(), power, margins, empty=empty)
        parts = cpu.softmasks(first.copy(), second.copy(), power, margins, values, empty)
        for mask, part, truth in zip(masks, parts, defined, strict=True):
            # ratio, power, sum and share are rounded once each; a power takes its ratio's error so often
            limit = 0 if math.isinf(power) else (4 + power) * eps
            assert np.abs(1.0 * mask - truth).max() <= limit
            assert (np.abs(part - values * truth) <= (limit + eps) * np.abs(values)).all()


RESAMPLED = list(
    pairwise(
        rates=((3, 2), (2, 3), (1, 6), (6, 1), (147, 160), (160, 147), (2500, 2501), (1, 1)),
        reach=(0, 1, 7, 40),
        length=(1, 7, 61, 1401, 9000),
        dtype=(np.float32, np.float64),
        shape=((), (1,), (3, 2), (20,)),
        precise=(False, True),
        step=(1, -1, 2),
    )
)


@pytest.mark.parametrize("o", RESAMPLED, ids=str)
def test_resampling_and_its_transpose_are_their_definitions(o: dict[str, Any]) -> None:
    (orig, new), reach, dtype = o["rates"], o["reach"], o["dtype"]
    op, weights = Resample(orig, new, reach), noise((new, 2 * reach + 1), dtype, 2)
    x = noise((*o["shape"], o["length"] * abs(o["step"])), dtype)[..., :: o["step"]]
    results = np.arange(op.shape(x.shape)[-1])
    around = results[:, None] * orig // new + np.arange(-reach, reach + 1)
    there = (around >= 0) & (around < o["length"])
    taps = np.where(there, weights.astype(np.float64)[results % new], 0)
    samples = x.astype(np.float64)[..., np.where(there, around, 0)]
    found = cpu.run(op, x, weights, precise=o["precise"])
    assert found.dtype == (np.float64 if o["precise"] else dtype)
    # a sum of so many terms, each of which is rounded, and is at most as large as the sum of their magnitudes
    limit = float(np.finfo(dtype).eps) * (2 * reach + 3)
    assert (np.abs(found - (samples * taps).sum(-1)) <= limit * np.abs(samples * taps).sum(-1)).all()
    memory = np.empty((*found.shape[:-1], 2 * found.shape[-1]), found.dtype)[..., ::2]
    for out in (np.empty_like(found), memory):
        assert cpu.run(op, x, weights, out=out, precise=o["precise"]) is out
        assert np.array_equal(out, found)
    # <A x, g> = <x, A* g>, but for rounding, of which sums of magnitudes are the measure
    g = noise(found.shape, dtype, seed=3)
    back = cpu.run(op.transpose(x.shape), g, weights, precise=o["precise"])
    assert back.shape == x.shape
    there, here = (float(np.vdot(a.astype(np.float64), b.astype(np.float64))) for a, b in ((found, g), (x, back)))
    size = float((np.abs(samples * taps).sum(-1) * np.abs(g)).sum())
    terms = 2 * reach + 3 + -(-(2 * reach + 2) * new // orig)
    assert abs(there - here) <= 2 * float(np.finfo(dtype).eps) * terms * size


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_spoils_the_frames_that_it_is_within_reach_of(bad: float) -> None:
    op, weights, x = Resample(100, 99, 5), noise((99, 11)), noise((2, 5000))
    x[1, 2003] = bad
    spoiled = ~np.isfinite(cpu.run(op, x, weights))
    assert not spoiled[0].any()
    assert np.array_equal(np.flatnonzero(spoiled[1]), np.arange(19 * 99, 21 * 99))
    g = noise(spoiled.shape)
    g[0, 99 * 7 + 98] = bad
    spoiled = ~np.isfinite(cpu.run(op.transpose(x.shape), g, weights))
    assert not spoiled[1].any()
    assert np.array_equal(np.flatnonzero(spoiled[0]), np.arange(700 - 5, 800 + 5))


def test_no_result_of_resampling_depends_on_its_neighbours() -> None:
    x, weights = noise((3, 4001)), noise((160, 31))
    whole = cpu.run(Resample(147, 160, 15), x, weights)
    for row in range(3):
        assert np.array_equal(cpu.run(Resample(147, 160, 15), x[row], weights), whole[row])


def test_the_operators_that_are_served_are_those_that_a_file_of_kernels_runs() -> None:
    modules = [importlib.import_module(f"{cpu.__name__}.{found.name}") for found in pkgutil.iter_modules(cpu.__path__)]
    runs = {kind for module in modules for kind in getattr(module, "RUN", ())}
    every = {kind for kind in vars(operators).values() if isinstance(kind, type) and hasattr(kind, "stem")}
    assert {kind for kind in every if cpu.serves(object.__new__(kind))} == runs
    assert Deltas in runs < every


def test_results_go_where_they_are_told_and_nothing_else_is_touched() -> None:
    x, window = noise((2, 3000)), hann(256)
    options: dict[str, Any] = {"hop_length": 64, "left": 128, "right": 128}
    expected = stft(x, window, **options)
    for memory in (np.zeros((2, 47, 129), np.complex64), np.zeros((2, 129, 47), np.complex64).swapaxes(-1, -2)):
        assert stft(x, window, out=memory, **options) is memory
        assert np.array_equal(memory, expected)
    around = np.full((2, 49, 129), 7, np.complex64)
    stft(x, window, out=around[:, 1:-1], **options)
    assert np.array_equal(around[:, 1:-1], expected)
    assert (around[:, [0, -1]] == 7).all()


def test_audio_of_any_strides_is_read_where_it_lies() -> None:
    window, x = hann(256), noise((4, 6000))
    for view in (x[:, ::2], x[::2, ::-1], x[:, 1::3], x.T.copy().T, np.broadcast_to(x[:1], (3, 6000))):
        assert np.array_equal(stft(view, window, hop_length=64), stft(view.copy(), window, hop_length=64))
    misaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    assert np.array_equal(stft(misaligned, window, hop_length=64), stft(x, window, hop_length=64))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("n_fft", [256, 255])
def test_what_is_not_finite_spoils_the_frames_that_hold_it(bad: float, n_fft: int) -> None:
    x = noise((1, 4000))
    x[0, 2000] = bad
    options: dict[str, Any] = {"hop_length": 100, "left": 0, "right": 0, "pad_mode": "constant"}
    z = stft(x, hann(n_fft), **options)[0]
    held = ~np.isfinite(frames_of(x, n_fft, 100, 0, 0, "constant")[0]).all(axis=-1)
    assert held.any()
    assert np.array_equal(~np.isfinite(z).all(axis=-1), held)
    assert np.array_equal(~np.isfinite(z).any(axis=-1), held)
    y = cpu.run(Istft(Framing(n_fft, 100), 4000), z[None], hann(n_fft))[0]
    spoiled = np.zeros(4000, bool)
    for frame in np.flatnonzero(held):
        spoiled[100 * frame : 100 * frame + n_fft] = True
    assert np.array_equal(~np.isfinite(y), spoiled)


def test_silence_and_denormals_are_silent_and_cost_no_accuracy() -> None:
    window = hann(512)
    assert not stft(np.zeros((1, 3000), np.float32), window, hop_length=128).any()
    x = noise((1, 6000)) * np.float32(1e-38)
    z = stft(x, window, hop_length=128)
    truth = defined_stft(
        x, window, {"hop_length": 128, "left": 0, "right": 0, "pad_mode": "constant", "scale": 1.0, "onesided": True}
    )
    assert np.abs(z - truth).max() <= 2 * 512 * 1.2e-38


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_fft", [400, 401])
def test_no_frame_depends_on_its_neighbours(n_fft: int, dtype: Any) -> None:
    x, window = noise((3, 5000), dtype), hann(n_fft, dtype)
    whole = stft(x, window, hop_length=160)
    for row, frame in itertools.product(range(3), (0, 1, 7, 28)):
        single = stft(x[row, 160 * frame : 160 * frame + n_fft], window, hop_length=160)
        assert np.array_equal(single[0], whole[row, frame])
    # of frames that do not overlap, each makes its part of the signal
    framing = Framing(n_fft, n_fft)
    signals = cpu.run(Istft(framing, 29 * n_fft), whole, window)
    for row, frame in itertools.product(range(3), (0, 1, 7, 28)):
        single = cpu.run(Istft(framing, n_fft), whole[row, frame : frame + 1], window)
        assert np.array_equal(single, signals[row, n_fft * frame : n_fft * (frame + 1)])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("signals", [2, 8, 19])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_spectra_that_lie_side_by_side_are_inverted_one_by_one(dtype: Any, signals: int, threads: int) -> None:
    z, window = noise((signals, 401, 129), dtype), hann(256)
    side_by_side = np.moveaxis(np.moveaxis(z, 0, -1).copy(), -1, 0)
    op = Istft(Framing(256, 64, 128), 25_500)
    cpu.set_num_threads(threads)
    try:
        y = cpu.run(op, side_by_side, window)
    finally:
        cpu.set_num_threads(None)
    assert np.array_equal(y, np.stack([cpu.run(op, one, window) for one in z]))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("signals", [2, 16, 21])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_magnitudes_that_lie_side_by_side_are_filtered_one_by_one(dtype: Any, signals: int, threads: int) -> None:
    s, bank = abs(noise((signals, 203, 129), dtype)), abs(noise((129, 7), dtype, seed=1))
    op = operators.ProjectPower(1)
    cpu.set_num_threads(threads)
    try:
        values = cpu.run(op, np.moveaxis(np.moveaxis(s, 0, -1).copy(), -1, 0), bank)
    finally:
        cpu.set_num_threads(None)
    assert np.array_equal(values, np.stack([cpu.run(op, one, bank) for one in s]))


@pytest.mark.parametrize(("threads", "error"), [("2", TypeError), (2.0, TypeError), (0, ValueError)], ids=repr)
def test_a_number_of_threads_that_is_none_is_refused_by_name(threads: Any, error: type[Exception]) -> None:
    before = cpu.get_num_threads()
    with pytest.raises(error, match="threads must be"):
        cpu.set_num_threads(threads)
    assert cpu.get_num_threads() == before


def test_peaks_are_the_tops_of_parabolas() -> None:
    k = np.arange(64.0)
    s = np.maximum(0, np.stack([50 - (k - 20.3) ** 2, 30 - 0.5 * (k - 40.8) ** 2]))
    *_, positions, heights = cpu.spectral_peaks(s, 1, 63, 0.1)
    assert np.allclose(positions, [20.3, 40.8])
    assert np.allclose(heights, [50, 30])


def test_magnitudes_and_phases_make_the_value() -> None:
    z = noise((3, 129, 41), np.complex64) * np.float32(1e-30)
    z[1, 5, 7] = 0
    magnitude, phase = cpu.magphase(z)
    assert np.abs(magnitude * phase - z).max() <= 3 * np.finfo(np.float32).eps * np.abs(z).max()
    assert magnitude[1, 5, 7] == 0
    assert phase[1, 5, 7] == 1
    fortran = np.asfortranarray(z)
    assert cpu.magphase(fortran)[0].strides == np.empty_like(fortran, np.float32).strides
    assert np.array_equal(cpu.magphase(fortran)[0], magnitude)
