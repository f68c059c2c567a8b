"""librosa.segment's filters by lags, beyond what the parity rows measure: which functions they make, and whose."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from mlx_spectro import compat
from mlx_spectro.ops import backend

librosa = pytest.importorskip("librosa")
from numba.core.errors import NumbaError
from scipy.ndimage import gaussian_filter, median_filter

from mlx_spectro.compat import librosa as ours

pytestmark = pytest.mark.skipif(backend.for_host_arrays() != "host", reason="host kernels need numba")

R = np.random.default_rng(12).random((60, 60))


def scaled(by: float, x: Any) -> Any:
    """A filter whose matrix is not its first argument."""
    return by * x


def reasons() -> list[tuple[str, str]]:
    return [(record.function, record.reason) for record in compat.report()]


def test_a_filter_looks_like_librosa_s() -> None:
    mine, theirs = (library.segment.timelag_filter(median_filter) for library in (ours, librosa))
    assert inspect.isfunction(mine)
    assert inspect.signature(mine) == inspect.signature(theirs)
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__wrapped__"):
        assert getattr(mine, name) is getattr(theirs, name)


def test_other_functions_and_other_arguments_of_theirs_are_librosa_s() -> None:
    compat.reset()
    for function, args, options in (
        (gaussian_filter, (R, (0, 2)), {}),
        (scaled, (2.0, R), {"index": 1}),
        (lambda x: x + 1, (R,), {"pad": False}),
    ):
        mine, theirs = (library.segment.timelag_filter(function, **options)(*args) for library in (ours, librosa))
        assert np.array_equal(mine, theirs)
    assert not reasons()
    with pytest.raises(TypeError):
        ours.segment.timelag_filter(median_filter, size=(1, 7))


def test_a_library_s_filter_turns_the_matrix_by_ours_once_installed() -> None:
    expected = librosa.segment.timelag_filter(gaussian_filter)(R, (0, 2))
    compat.install("librosa")
    try:
        compat.reset()
        with compat.route("ours"):
            assert np.array_equal(librosa.segment.timelag_filter(gaussian_filter)(R, (0, 2)), expected)
    finally:
        compat.uninstall()
    served = [(f"librosa.segment.{name}", "") for name in ("recurrence_to_lag", "lag_to_recurrence")]
    assert sorted(reasons()) == sorted(served)


def test_a_filter_is_served_recorded_and_verified_under_its_maker_s_name() -> None:
    mine, theirs = (library.segment.timelag_filter(median_filter, pad=False) for library in (ours, librosa))
    for numerics in ("fast", "verify"):
        compat.reset()
        with compat.numerics(numerics):
            for args, options in (((R, (1, 7)), {}), ((R,), {"size": (1, 7)})):
                assert np.array_equal(mine(*args, **options), theirs(*args, **options))
        (record,) = compat.report()
        assert (record.function, record.reason, record.breaches) == ("librosa.segment.timelag_filter", "", 0)
        assert record.file == __file__
    compat.reset()
    with compat.numerics("strict"):
        assert np.array_equal(mine(R, size=(1, 7)), theirs(R, size=(1, 7)))
    assert [reason for _, reason in reasons()] != [""]


@pytest.mark.parametrize("name", ["recurrence_to_lag", "lag_to_recurrence"])
@pytest.mark.parametrize("kind", ["c8", "c16", "u1", "i8", "?"])
def test_matrices_of_any_numbers_are_turned(name: str, kind: str) -> None:
    x = (8 * R).astype(kind)
    compat.reset()
    with compat.route("ours"):
        mine = getattr(ours.segment, name)(x)
    assert reasons() == [(f"librosa.segment.{name}", "")]
    theirs = getattr(librosa.segment, name)(x)
    assert mine.dtype == theirs.dtype and np.array_equal(mine, theirs)


@pytest.mark.parametrize("kind", ["f2", ">f4", "O"])
def test_what_librosa_cannot_turn_is_its_error(kind: str) -> None:
    for library in (ours, librosa):
        with pytest.raises((NotImplementedError, NumbaError)):
            library.segment.recurrence_to_lag(R.astype(kind))


def test_sparse_matrices_are_librosa_s() -> None:
    import scipy.sparse

    sparse = scipy.sparse.csr_matrix(R > 0.9)
    compat.reset()
    lag = ours.segment.recurrence_to_lag(sparse)
    assert (lag != librosa.segment.recurrence_to_lag(sparse)).nnz == 0
    ((_, reason),) = reasons()
    assert "csr_matrix" in reason
