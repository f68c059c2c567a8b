"""The documentation's programs run."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

for library in ("numba", "torchaudio", "librosa", "soundfile", "matplotlib"):
    pytest.importorskip(library)

DOCS = Path(__file__).parent.parent.parent / "docs"
# pages whose programs are whole
WHOLE = [
    DOCS.parent / "README.md",
    *sorted((DOCS / "start").glob("*.md")),
    *(DOCS / f"{page}.md" for page in ("settings", "streams", "transformers")),
]


def _gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery_programs", DOCS / "gallery" / "programs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gallery = _gallery()


def test_the_gallery_shows_every_program() -> None:
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    programs = {path.stem for path in (DOCS / "gallery").glob("*.py")} - {"programs"}
    assert programs == set(gallery.PROGRAMS)
    assert set(re.findall(r"gallery/(\w+)\.py", text)) == programs


@pytest.mark.parametrize("name", gallery.PROGRAMS)
def test_a_program_of_the_gallery_is_served_within_the_limits(name: str, tmp_path: Path) -> None:
    done = gallery.run(name, tmp_path, "--verify")
    assert done.returncode == 0, done.stderr
    assert "breach" not in done.stderr.lower().replace("breaches first", "")
    served = re.findall(r"^(?:torch|torchaudio|librosa)\.\S+ .* ok$", done.stderr, re.MULTILINE)
    assert served, done.stderr
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("name", gallery.PROGRAMS)
def test_a_profile_of_a_program_of_the_gallery_tells_the_time_saved(name: str, tmp_path: Path) -> None:
    done = gallery.run(name, tmp_path, "--profile")
    assert done.returncode == 0, done.stderr
    functions = done.stderr.partition("Functions, slowest first")[2].partition("\n\n")[0]
    assert "saved" in functions.partition("function ")[2].partition("\n")[0].split()
    served = r"^(?:torch|torchaudio|librosa)\.\S+ +cpu, host kernels .* -?[\d.]+ (?:us|ms|s)$"
    assert re.search(served, functions, re.MULTILINE), done.stderr


@pytest.mark.parametrize("page", WHOLE, ids=lambda page: page.stem)
def test_a_page_s_programs_run(page: Path) -> None:
    if page.stem == "transformers":
        pytest.importorskip("transformers")
    programs = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert programs
    for program in programs:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
