"""README and the documentation say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

for library in ("numba", "torchaudio", "librosa"):
    pytest.importorskip(library)

import torchaudio
from torchaudio.compliance import kaldi

from benchmarks import tables
from benchmarks.tables import functions, reasons, shares, speed


def test_every_table_is_on_a_page() -> None:
    shown = {name for page in tables.pages() for name in tables.names(page.read_text(encoding="utf-8"))}
    assert shown == set(tables.TABLES)


@pytest.mark.parametrize("page", tables.pages(), ids=lambda page: page.stem)
def test_tables_are_those_of_the_parity_table_and_the_committed_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert tables.written(text) == text


def test_a_column_names_the_wait_policy_that_it_was_measured_under(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"name": "torch.stft", "contenders": {"torch": {"seconds": 2.0}, "host": {"seconds": 1.0}}}
    told = {"rows": [row], "date": "2026-01-01", "versions": {"torch": "2.11.0"}}
    results = {
        "cpu": {**told, "wait_policy": "passive"},
        "cpu-default": {**told, "wait_policy": "default"},
    }
    monkeypatch.setattr(speed, "results", results.get)
    assert speed.cpu().splitlines() == [
        "| in place of | 2 threads, AVX-512, passive | 2 threads, AVX-512, default |",
        "| --- | --- | --- |",
        "| `torch.stft` | 2.0 / 2.0 | 2.0 / 2.0 |",
        "",
        "Measured 2026-01-01 beside torch 2.11.0.",
    ]


def _cells(page: str) -> dict[str, list[str]]:
    """The cells of each line of a page's tables behind the first, by each name in that."""
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    return {name: cells for first, *cells in lines for name in re.findall(r"`(\w+)`", first)}


def test_what_is_served_by_default_is_told_from_what_we_serve_only_when_asked() -> None:
    table = _cells(functions.functions("librosa"))
    assert table["stft"][0] == "ours"
    assert table["power_to_db"][0] == "ours where arrays are large"
    assert table["mel"][0] == "librosa's"


def test_what_is_made_of_ours_says_of_which() -> None:
    table = _cells(functions.functions("librosa"))
    assert table["perceptual_weighting"] == ["`librosa.power_to_db`"]


def test_every_public_function_has_a_line_and_no_cell_is_empty() -> None:
    table = _cells(functions.functions("torchaudio"))
    assert {*torchaudio.functional.__all__, *torchaudio.transforms.__all__, *kaldi.__all__} <= table.keys()
    assert {name for name, cells in table.items() if cells[-1] == "-" and len(cells) == 2} == {"rnnt_loss", "RNNTLoss"}
    assert all(cell.strip() for cells in table.values() for cell in cells)


def test_every_function_of_librosa_has_a_share_or_a_reason_for_none() -> None:
    measured = shares.measured()["shares"]
    public = {name for module in functions._MODULES["librosa"] for name in functions._names(module)}
    named = {name for name in public if reasons.reason(name) != reasons._LATER}
    # filters, made once, are librosa's own by default
    designs = {"librosa.filters.chroma", "librosa.filters.mel"}
    assert not public - named - designs - measured.keys()
    assert all(0 <= one["share"] <= 1 and one["ms"] > 0 for one in measured.values())
