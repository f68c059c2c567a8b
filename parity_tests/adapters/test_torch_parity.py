"""The parity table on torch's own devices, on a machine that stands in for a Mac."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchaudio")

from mlx_spectro import caches

from ..kernels.kernel_host import host
from ..table import __main__ as command
from ..table import measure
from ..table.cases import table
from . import mps_machine

pytestmark = pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU")


@pytest.fixture(autouse=True)
def mac(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, untuned: None) -> Iterator[mps_machine.Machine]:
    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    monkeypatch.setattr(measure, "_moved", lambda x, _: x)
    with mps_machine.machine(monkeypatch) as made:
        yield made


def test_a_row_is_measured_on_torch_s_device(mac: mps_machine.Machine) -> None:
    (row,) = table("amplitude_to_DB")
    outcome = measure.run(row, "mps")
    assert outcome.green, outcome.verdict()
    assert outcome.compared > 0
    assert mac.launched


def test_what_torch_serves_there_is_untested_and_says_why() -> None:
    (row,) = table("torchaudio.functional.fftconvolve")
    outcome = measure.run(row, "mps")
    assert outcome.green, outcome.verdict()
    assert outcome.samples == len(outcome.untested)
    (why,) = outcome.handed_over
    assert "torch's own transforms convolve on a GPU" in why


@pytest.mark.parametrize("served", [False, True])
def test_what_the_library_computes_nothing_of_there_is_an_error_of_ours_too(
    served: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = table("amplitude_to_DB")
    ours, _ = row.resolve()

    def refuses(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no such driver")

    monkeypatch.setattr(type(row), "resolve", lambda _: (ours if served else refuses, refuses))
    outcome = measure.run(row, "mps")
    assert outcome.samples == len(outcome.untested)
    assert outcome.handed_over == {"torchaudio itself computes none there: no such driver"}
    assert len(outcome.problems) == (outcome.samples if served else 0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch has a CUDA device here")
def test_without_the_device_the_table_says_so() -> None:
    with pytest.raises(SystemExit, match="torch has no cuda device here"):
        command.main(["--device", "cuda"])
