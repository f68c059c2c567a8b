"""The package's public names: the stub lists them, and is read when the first of them is used."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mlx.core")

import mlx_spectro

STUB = Path(mlx_spectro.__file__).with_suffix(".pyi")
LISTED = [
    (str(line.module), name.name, name.asname)
    for line in ast.parse(STUB.read_text(encoding="utf-8")).body
    if isinstance(line, ast.ImportFrom)
    for name in line.names
]


def say(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(("module", "name", "shown"), LISTED)
def test_a_name_of_the_stub_is_what_its_module_defines(module: str, name: str, shown: str | None) -> None:
    assert shown == name, "a type checker takes a name for public that is imported as itself"
    assert getattr(mlx_spectro, name) is getattr(importlib.import_module(f"mlx_spectro.{module}"), name)


def test_the_package_says_that_it_has_the_names_of_the_stub() -> None:
    names = mlx_spectro.__all__  # type: ignore[attr-defined]
    assert names == sorted(name for _, name, _ in LISTED)
    assert len(set(names)) == len(names)
    assert set(names) <= set(dir(mlx_spectro))
    assert say("from mlx_spectro import *; print(SpectralTransform.__name__, rms.__name__)") == "SpectralTransform rms"


def test_importing_the_package_reads_no_stub_and_no_mlx() -> None:
    code = (
        "import sys, mlx_spectro\n"
        "print(mlx_spectro._public.cache_info().currsize, 'mlx.core' in sys.modules, mlx_spectro.set_num_threads)"
    )
    assert say(code).startswith("0 False <function")


def test_a_name_that_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'mlx_spectro' has no attribute 'stfft'"):
        _ = mlx_spectro.stfft  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'stfft'"):
        exec("from mlx_spectro import stfft")
