"""Calls that are left to a library for their sizes: what that costs, and that every one is counted where it stands."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as shim
from mlx_spectro.ops import backend

X = torch.randn(1, 600, generator=torch.Generator().manual_seed(3))


@pytest.fixture(autouse=True)
def by_size() -> Iterator[None]:
    compat.reset()
    with compat.route("auto"):
        yield
    compat.reset()


def counts() -> dict[tuple[str, int], int]:
    """Calls that were left, by function and line."""
    assert all(record.reason and record.file for record in compat.report())
    return {(record.function, record.line): record.calls for record in compat.report()}


def test_every_call_is_counted_at_its_line() -> None:
    line = sys._getframe().f_lineno
    for _ in range(5):
        shim.functional.preemphasis(X)
    for _ in range(3):
        shim.functional.preemphasis(X), shim.functional.preemphasis(X)
    name = "torchaudio.functional.preemphasis"
    assert counts() == {(name, line + 2): 5, (name, line + 4): 6}
    compat.reset()
    shim.functional.preemphasis(X)
    assert list(counts().values()) == [1]


def test_code_in_the_place_of_other_code_has_lines_of_its_own() -> None:
    for line in range(60):
        exec(compile("\n" * line + "call(x)", "made", "exec"), {"call": shim.functional.preemphasis, "x": X})
        gc.collect(0)
    assert sorted(counts()) == [("torchaudio.functional.preemphasis", line + 1) for line in range(60)]
    assert {record.file for record in compat.report()} == {"made"}


def test_calls_through_a_module_are_counted_at_the_program_s_line() -> None:
    line, module = sys._getframe().f_lineno, shim.transforms.Preemphasis()
    for _ in range(4):
        module(X)
    assert counts() == {("torchaudio.transforms.Preemphasis", line + 2): 4}


@pytest.mark.parametrize(
    ("call", "most"),
    [
        # the door, sizes, a record, torchaudio's own; then a network's two layers, and what a class notes
        (functools.partial(shim.functional.preemphasis, X), 12),
        (functools.partial(shim.transforms.Preemphasis(), X), 17),
        (functools.partial(shim.transforms.SpeedPerturbation(16000, [0.9, 1.1]), X), 60),
    ],
)
def test_a_call_that_was_left_before_takes_few_steps(call: Any, most: int) -> None:
    taken = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal taken
        taken += event == "call"

    for _ in range(4):
        taken = 0
        sys.setprofile(note)
        try:
            call()
        finally:
            sys.setprofile(None)
    assert taken <= most


def test_a_speed_is_drawn_as_torchaudio_draws_it() -> None:
    factors = [0.9, 1.1, 1.0]
    ours, theirs = (
        shim.transforms.SpeedPerturbation(16000, factors),
        torchaudio.transforms.SpeedPerturbation(16000, factors),
    )
    lengths = torch.tensor([500])
    for seed in range(12):
        torch.manual_seed(seed)
        wanted, following = theirs(X, lengths), torch.rand(1)
        torch.manual_seed(seed)
        assert all(torch.equal(a, b) for a, b in zip(ours(X, lengths), wanted, strict=True))
        assert torch.equal(torch.rand(1), following)
    assert list(counts().values()) == [12]


def test_a_module_that_is_changed_is_the_library_s_as_it_is_then() -> None:
    ours, theirs = (each.transforms.Preemphasis() for each in (shim, torchaudio))
    for coeff in (0.97, 0.5, 0.97):
        ours.coeff = theirs.coeff = coeff
        assert torch.equal(ours(X), theirs(X))


def test_a_setting_is_read_at_every_call() -> None:
    for _ in range(3):
        shim.functional.preemphasis(X)
    compat.reset()
    with compat.route("ours"):
        shim.functional.preemphasis(X)
    (record,) = compat.report()
    assert not record.reason


@pytest.mark.parametrize("vectors", [True, False])
@pytest.mark.parametrize("name", ["power_to_db", "amplitude_to_db", "magphase"])
def test_where_numpy_has_vectors_more_values_are_left_to_it(
    name: str, vectors: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("librosa")
    from mlx_spectro.compat import librosa
    from mlx_spectro.compat.contract.adapter import adapters
    from mlx_spectro.compat.librosa import _arguments

    monkeypatch.setattr(_arguments, "numpy_has_vectors", lambda: vectors)
    function = adapters[f"librosa.{name}"].function
    served = {}
    for size in (1000, 30_000, 100_000):
        function.forget()
        compat.reset()
        with backend.implementation("host"):
            getattr(librosa, name)(np.ones(size, np.complex64 if name == "magphase" else np.float32))
        (record,) = compat.report()
        served[size] = not record.reason
    function.forget()
    assert served == {1000: False, 30_000: not vectors, 100_000: True}
