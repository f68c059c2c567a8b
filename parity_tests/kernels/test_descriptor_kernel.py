"""The kernel of descriptors: its Metal text, run on the CPU, against float64."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_spectro.design.descriptors import DescriptorSpec
from mlx_spectro.design.operators import DescribeMagnitudes
from mlx_spectro.features.descriptors import bin_frequencies
from mlx_spectro.kernels.gpu import descriptors, why_not
from mlx_spectro.ops.apply import define

from ..table.case import pairwise
from .kernel_host import host
from .test_kernels import ORDERS, Errors, noise, run

pytestmark = pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU")

ALL = ("centroid", "bandwidth", "rolloff", "flatness", "contrast")
SIZES = (9, 33, 129, 257, 513, 1025, 2049, 4097)


def bands_of(bins: int) -> list[tuple[int, int, int]]:
    """One bin, bands that meet in one, and all bins; of one extreme, of a few, and of as many as a band has or may."""
    third = bins // 3
    return [(0, 1, 1), (1, third + 1, 1), (third, bins, max(2, bins // 50)), (0, bins, min(bins, 64))]


def spec_of(bins: int, names: tuple[str, ...] = ALL, **options: Any) -> DescriptorSpec:
    return DescriptorSpec(names, bands=tuple(bands_of(bins)), **options)


def hz_of(s: np.ndarray) -> np.ndarray:
    return bin_frequencies(22050, 2 * (s.shape[-1] - 1))


def rolloff_bins(s: np.ndarray, share: float) -> np.ndarray:
    running = np.cumsum(s.astype(np.float64), axis=-1)
    bins: np.ndarray = (running >= share * running[..., -1:]).argmax(axis=-1)
    return bins


def truth(s: np.ndarray, spec: DescriptorSpec) -> np.ndarray:
    """The definition in float64."""
    s, hz = s.astype(np.float64), hz_of(s).astype(np.float64)
    total = s.sum(axis=-1, keepdims=True)
    shares = s / np.where(total < np.finfo(np.float32).tiny, 1, total)
    centroid = (shares * hz).sum(axis=-1, keepdims=True)
    raised = np.maximum(s**spec.power, np.float32(spec.amin))
    ordered = [(np.sort(s[..., first:end], axis=-1), count) for first, end, count in spec.bands]
    rows = {
        "centroid": centroid,
        "bandwidth": (shares * np.abs(hz - centroid) ** spec.order).sum(-1, keepdims=True) ** (1 / spec.order),
        "rolloff": hz[rolloff_bins(s, spec.share)][..., None],
        "flatness": np.exp(np.log(raised).mean(axis=-1, keepdims=True)) / raised.mean(axis=-1, keepdims=True),
        "contrast": np.stack(
            [a[..., :count].mean(axis=-1) for a, count in ordered]
            + [a[..., -count:].mean(axis=-1) for a, count in ordered],
            axis=-1,
        ),
    }
    return np.concatenate([rows[name] for name in spec.names], axis=-1).swapaxes(-1, -2)


def by_plain_ops(s: np.ndarray, spec: DescriptorSpec) -> np.ndarray:
    return np.array(define(DescribeMagnitudes(spec), mx.array(s), hz_of(s)))


def by_kernel(s: np.ndarray, spec: DescriptorSpec, order: str) -> np.ndarray:
    rows, frames, bins = s.shape
    launch = descriptors.launch(rows, frames, bins, spec)
    table = descriptors.pack(hz_of(s), spec.bands).values
    return run(launch, {"order": order}, x=s, table=np.pad(table, (0, 8)))


def magnitudes(kind: str, *shape: int) -> np.ndarray:
    """Of noise, of a tone in noise, and all the same: the sums of these lose most."""
    s = np.abs(noise(*shape))
    if kind == "tone":
        s *= np.float32(1e-3)
        s[..., shape[-1] // 2] += 1
    return np.full(shape, 0.1, np.float32) if kind == "flat" else s


def rows_by_name(rows: np.ndarray, spec: DescriptorSpec) -> Iterable[tuple[str, np.ndarray]]:
    names = [
        [name] if name != "contrast" else [part for part in ("valley", "peak") for _ in spec.bands]
        for name in spec.names
    ]
    return zip(itertools.chain(*names), rows.swapaxes(0, 1), strict=True)


CASES = list(
    pairwise(
        size=SIZES,
        names=(ALL, ALL[::-1], *((name,) for name in ALL), ("contrast", "rolloff"), ("bandwidth", "flatness")),
        kind=("noise", "tone", "flat"),
        order_of=(1, 2),
        power=(1, 2),
        share=(0.1, 0.85),
        frames=(1, 7, 8, 19),
        rows=(1, 3),
        order=ORDERS,
    )
)


@pytest.mark.parametrize("size", SIZES)
def test_descriptor_kernel_is_accurate_and_clean(size: int) -> None:
    errors = {name: Errors() for name in ("centroid", "bandwidth", "flatness", "valley", "peak")}
    for case in (case for case in CASES if case["size"] == size):
        s = magnitudes(case["kind"], case["rows"], case["frames"], size)
        spec = spec_of(size, case["names"], order=case["order_of"], power=case["power"], share=case["share"])
        ours, theirs, expected = by_kernel(s, spec, case["order"]), by_plain_ops(s, spec), truth(s, spec)
        assert ours.shape == expected.shape
        for (name, a), (_, b), (_, c) in zip(*(rows_by_name(x, spec) for x in (ours, theirs, expected)), strict=True):
            if name == "rolloff":
                assert np.array_equal(a, c), case
            else:
                errors[name].add(a, b, c)
    for found in errors.values():
        found.check()


@pytest.mark.parametrize("size", [9, 129, 1025])
@pytest.mark.parametrize("order", ORDERS)
def test_equal_magnitudes_each_count_as_an_extreme(size: int, order: str) -> None:
    s = np.random.default_rng(size).integers(0, 3, (2, 9, size)).astype(np.float32)
    s[0, 0] = 2
    spec = spec_of(size, ("contrast",))
    assert np.allclose(by_kernel(s, spec, order), truth(s, spec), rtol=2.4e-7, atol=0)


@pytest.mark.parametrize("order", ORDERS)
def test_silent_frames_are_left_as_they_are(order: str) -> None:
    s = magnitudes("noise", 2, 9, 257)
    s[0, 3], s[1, 8] = 0, 1e-42
    spec = spec_of(257)
    ours = by_kernel(s, spec, order)
    assert np.allclose(ours, truth(s, spec), rtol=1e-5, atol=1e-37)
    assert np.array_equal(ours[0, [0, 1, 2, 4, 5], 3], np.zeros(5))


SPOILED: dict[str, tuple[Any, float]] = {
    "a frame of NaN": (slice(None), np.nan),
    "one NaN": (200, np.nan),
    "an infinite frame": (slice(None), np.inf),
    "one infinite": (200, np.inf),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("spoiled", SPOILED)
def test_what_is_not_finite_stays_in_its_frame_and_comes_out_as_of_plain_ops(spoiled: str, order: str) -> None:
    s = magnitudes("noise", 2, 9, 257)
    where, value = SPOILED[spoiled]
    s[0, 4, where] = value
    spec = spec_of(257)
    ours, theirs = by_kernel(s, spec, order), by_plain_ops(s, spec)
    clean = np.ones((2, 9), bool)
    clean[0, 4] = False
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    assert np.isfinite(ours.swapaxes(1, 2)[clean]).all()
    assert np.allclose(ours, theirs, rtol=1e-5, equal_nan=True)


def test_frames_of_more_bins_are_left_to_plain_ops() -> None:
    op = DescribeMagnitudes(spec_of(9))
    assert why_not(op, ((3, 4097), (4097,))) is None
    assert "4098 bins" in (why_not(op, ((3, 4098), (4098,))) or "")
