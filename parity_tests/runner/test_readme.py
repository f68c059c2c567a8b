"""README says what is so."""

from __future__ import annotations

import pytest

for library in ("numba", "torchaudio", "librosa"):
    pytest.importorskip(library)

from benchmarks import readme


def test_the_tables_are_those_of_the_parity_table_and_the_committed_results() -> None:
    text = readme.README.read_text(encoding="utf-8")
    assert text.count("<!-- table: ") == len(readme.TABLES)
    assert readme.written(text) == text


def test_a_column_names_the_wait_policy_that_it_was_measured_under(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"name": "torch.stft", "contenders": {"torch": {"seconds": 2.0}, "host": {"seconds": 1.0}}}
    results = {
        "cpu": {"rows": [row], "wait_policy": "passive"},
        "cpu-default": {"rows": [row], "wait_policy": "default"},
    }
    monkeypatch.setattr(readme, "_results", results.get)
    assert readme.cpu().splitlines() == [
        "| in place of | 2 threads, AVX-512, passive | 2 threads, AVX-512, default |",
        "| --- | --- | --- |",
        "| `torch.stft` | 2.0 / 2.0 | 2.0 / 2.0 |",
    ]


def test_what_is_served_by_default_is_told_from_what_we_serve_only_when_asked() -> None:
    table = {line.split(" | ")[0]: line.split(" | ")[1:3] for line in readme.coverage().splitlines()}
    assert table["| `librosa.filters`"] == ["", "`chroma`, `mel`"]
    by_default, if_asked = table["| `librosa`"]
    assert "`stft`" in by_default
    assert "`power_to_db` *" in by_default
    assert "`db_to_power`" in if_asked
    assert "`create_dct`" in table["| `torchaudio.functional`"][1]
