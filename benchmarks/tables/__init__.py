"""Tables of README and of the documentation, made of the parity table and of the committed results."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import accuracy, extraction, extractors, functions, shares, speed, upstream

ROOT = Path(__file__).parent.parent.parent
TABLES: dict[str, Callable[[], str]] = {
    "coverage": functions.coverage,
    "torch-functions": partial(functions.functions, "torch"),
    "torchaudio-functions": partial(functions.functions, "torchaudio"),
    "librosa-functions": partial(functions.functions, "librosa"),
    "transformers-functions": partial(functions.functions, "transformers"),
    "librosa-shares-of": shares.shares_of,
    "librosa-shares": shares.shares,
    "handed-over": functions.handed_over,
    "limits": functions.limits,
    "parity-gpu": accuracy.on_gpus,
    "at-a-glance": speed.at_a_glance,
    "cpu": speed.cpu,
    "native-cpu": speed.native_cpu,
    "torch-cuda": speed.torch_cuda,
    "gpu": speed.gpu,
    "extraction": extraction.times,
    "extractors": extractors.times,
    "extractor-helpers": extractors.helpers,
    "upstream-librosa": partial(upstream.tests, "librosa"),
    "upstream-torch": partial(upstream.tests, "torch"),
}


def pages() -> list[Path]:
    """The pages that may hold tables."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def names(text: str) -> list[str]:
    """Which tables a page holds."""
    return re.findall(r"<!-- table: ([\w-]+) -->", text)


def written(text: str) -> str:
    """``text`` with its tables made anew."""
    for name in names(text):
        pattern = f"(<!-- table: {name} -->\n).*?(<!-- end of table -->)"
        text = re.sub(pattern, partial(_filled, TABLES[name]()), text, count=1, flags=re.DOTALL)
    return text


def _filled(table: str, place: re.Match[str]) -> str:
    return f"{place[1]}\n{table}\n\n{place[2]}"
