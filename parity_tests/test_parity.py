"""Every row of the parity table, with every implementation present."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_origin

import numpy as np
import pytest

import mlx_spectro
from mlx_spectro import compat
from mlx_spectro.compat.arrays import kinds
from mlx_spectro.compat.install import proxy
from mlx_spectro.ops import backend

from .table import measure
from .table.case import OURS, Reject, Row, find
from .table.cases import table

IMPLEMENTATIONS = backend.implementations()
ADAPTERS = [row for row in table() if not row.native]


def _named(rows: list[Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


def _need(row: Row, implementation: str = "host") -> None:
    if row.missing():
        pytest.skip(f"{row.missing()} is not installed")
    if row.unserved(implementation):
        pytest.skip(row.unserved(implementation))


@pytest.mark.slow
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@_named(table())
def test_row_is_as_accurate_as_its_reference(row: Row, implementation: backend.Implementation) -> None:
    _need(row, implementation)
    outcome = measure.run(row, implementation)
    assert outcome.green, "\n".join([outcome.verdict(), *outcome.problems])
    assert outcome.samples > len(outcome.untested)


@pytest.mark.slow
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@_named([row for row in table() if row.gradient])
def test_gradient_is_as_accurate_as_its_reference(row: Row, implementation: backend.Implementation) -> None:
    _need(row, implementation)
    outcome = measure.run(row, implementation, measure.gradient)
    assert outcome.green, "\n".join([outcome.verdict(), *outcome.problems])


def _failure(function: Callable[..., Any], row: Row, reject: Reject) -> BaseException:
    args = measure.to_library(row.their_arrays, reject.args)
    kwargs = measure.to_library(row.their_arrays, reject.kwargs)
    with pytest.raises(Exception) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("row", "reject"),
    [(row, reject) for row in ADAPTERS for reject in row.rejects],
    ids=lambda value: getattr(value, "name", None) or value.label,
)
def test_bad_input_raises_what_the_reference_raises(row: Row, reject: Reject, ours: None) -> None:
    _need(row)
    function, reference = row.resolve()
    mine, theirs = _failure(function, row, reject), _failure(reference, row, reject)
    assert type(mine).__name__ == reject.error
    assert type(mine) is type(theirs)
    assert str(mine) == str(theirs)


def _said(function: Callable[..., Any], row: Row, sample: Any) -> list[tuple[type[Warning], str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(
            *measure.to_library(row.their_arrays, sample.args), **measure.to_library(row.their_arrays, sample.kwargs)
        )
    # which librosa 1.0 says by chance, of memory that it has not written to yet
    return [(w.category, str(w.message)) for w in caught if "encountered in cast" not in str(w.message)]


@_named(ADAPTERS)
def test_warnings_are_the_reference_s(row: Row, ours: None) -> None:
    _need(row)
    function, reference = row.resolve()
    for sample in row.samples():
        assert _said(function, row, sample) == _said(reference, row, sample), sample.label


@_named([row for row in ADAPTERS if isinstance(row.theirs, str)])
def test_signature_is_the_reference_s(row: Row) -> None:
    _need(row)
    ours, theirs = find(f"{OURS}{row.theirs}"), find(str(row.theirs))
    if row.theirs == "torch.istft":  # a builtin without a signature; its method has one
        theirs = find("torch.Tensor").istft
    pairs = [(ours, theirs)]
    if hasattr(theirs, "forward"):
        pairs.append((ours.forward, theirs.forward))
    for pair in pairs:
        # a function that shows the reference's signature takes its arguments by its plan's
        mine, expected = (list(inspect.signature(getattr(f, "plan", f)).parameters.values()) for f in pair)
        # and one that serves two versions of a library may know arguments of the other one
        newer = {"axes", "kind", "rng", "t_out", "transition_min_prob", "win_length"} - {p.name for p in expected}
        known = [(p.name, p.kind, p.default) for p in mine if p.name not in newer]
        assert known[1:] == [(p.name, p.kind, p.default) for p in expected][1:]
        if inspect.isfunction(pair[1]) and row.theirs != "torch.istft":
            # inspect.getfullargspec follows no wrapper to what it wraps
            assert str(inspect.signature(pair[0], follow_wrapped=False)) == str(inspect.signature(pair[1]))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@_named(table())
def test_a_batch_is_its_signals_one_by_one(row: Row, implementation: backend.Implementation) -> None:
    _need(row, implementation)
    function, _ = row.resolve()
    for sample in row.samples():
        if not sample.batched:
            continue
        with backend.implementation(implementation), compat.route("ours"):
            whole = measure.flat(measure.evaluate(function, row.our_arrays, sample))
            singles = [
                measure.flat(measure.evaluate(function, row.our_arrays, replace(sample, args=(x, *sample.args[1:]))))
                for x in sample.args[0]
            ]
        for i, result in enumerate(whole):
            np.testing.assert_array_equal(result, np.stack([single[i] for single in singles]), sample.label)


def _form(y: Any) -> list[Any]:
    """All that a program can see of a result, values as bytes."""
    if isinstance(y, (tuple, list)):
        return [part for each in y for part in _form(each)]
    strides = y.stride() if hasattr(y, "stride") else getattr(y, "strides", ())
    return [
        type(y),
        getattr(y, "dtype", None),
        getattr(y, "shape", ()),
        strides,
        np.asarray(kinds.to_numpy(y)).tobytes(),
    ]


@_named(ADAPTERS)
def test_a_call_is_the_same_however_often_it_was_made(row: Row, ours: None) -> None:
    _need(row)
    function, _ = row.resolve()
    for sample in row.samples():
        if sample.untested:  # what is librosa's may hold memory that was never written
            continue
        args, kwargs = (measure.to_library(row.our_arrays, part) for part in (sample.args, sample.kwargs))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # planned, made ready, and repeated
            forms = [_form(function(*args, **kwargs)) for _ in range(4)]
        assert all(form == forms[0] for form in forms[1:]), sample.label


@_named([row for row in ADAPTERS if row.our_arrays == "torch" and row.their_arrays == "torch"])
def test_tensors_can_be_resized_as_after_the_reference(row: Row, ours: None) -> None:
    _need(row)
    resizable = []
    sample = next(sample for sample in row.samples() if not sample.untested)
    for function in row.resolve():
        args, kwargs = (measure.to_library("torch", part) for part in (sample.args, sample.kwargs))
        given = [x.clone() if kinds.is_tensor(x) else x for x in args]
        result = function(*given, **kwargs)
        tensors = [*given, *(result if isinstance(result, (tuple, list)) else [result])]
        resizable.append([x.untyped_storage().resizable() for x in tensors if kinds.is_tensor(x)])
    assert resizable[0] == resizable[1]


# what describes or configures, and computes nothing
SILENT = {
    # what they compute, other rows are of
    "FeatureExtractor",
    "extract",
    # equal to rows of their own, bit for bit: adapters/test_streams.py
    "StreamingISTFT",
    "StreamingMelSpectrogram",
    "StreamingSTFT",
    "get_cache_debug_stats",
    "get_num_threads",
    "get_transform_mlx",
    "reset_cache_debug_stats",
    "resolve_fft_params",
    "set_num_threads",
    "spec_mlx_device_key",
}


def test_every_public_function_has_a_row() -> None:
    stems = {part for row in table() for part in row.name.split(".")}
    names = mlx_spectro.__all__  # type: ignore[attr-defined] # a stub with one would hide its names from import *
    public = {name for name in names if callable(getattr(mlx_spectro, name))}
    aliases = {name for name in public if get_origin(getattr(mlx_spectro, name)) is not None}
    assert public - aliases - SILENT - stems == set()


def test_every_replaced_name_has_a_row() -> None:
    names = {row.name for row in table()}
    found = pkgutil.walk_packages(compat.__path__, f"{compat.__name__}.")
    for module in [importlib.import_module(m.name) for m in found if not m.name.endswith("__main__")]:
        if isinstance(module, proxy.ReferenceProxy):
            # librosa.core shows functions that librosa itself shows
            prefix = module.__name__.removeprefix(compat.__name__ + ".").removesuffix(".core")
            assert {f"{prefix}.{name}" for name in vars(module)["_ours"]} <= names
