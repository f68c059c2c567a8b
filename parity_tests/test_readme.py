"""README says what is so."""

from __future__ import annotations

from benchmarks import readme


def test_the_tables_are_those_of_the_parity_table_and_the_committed_results() -> None:
    text = readme.README.read_text(encoding="utf-8")
    assert text.count("<!-- table: ") == len(readme.TABLES)
    assert readme.written(text) == text
