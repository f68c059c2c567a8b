"""python -m benchmarks.tables: write the tables of README and of the documentation anew."""

from __future__ import annotations

from . import names, pages, written

for page in pages():
    text = page.read_text(encoding="utf-8")
    if names(text):
        page.write_text(written(text), encoding="utf-8")
