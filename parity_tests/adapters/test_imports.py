"""Programs that hide, mock or reload modules, and find them their own way: their imports go on as without us."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlx_spectro import compat
from mlx_spectro.compat.contract.adapter import LIBRARIES
from mlx_spectro.compat.install import finders, installer, proxy

STARTUP = Path(compat.__file__).parent / "install" / "startup"


def told(code: str, *path: Path, **environment: str) -> tuple[str, str]:
    """What a program of its own prints, and what it says of errors."""
    found_at = os.pathsep.join([*map(str, path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=180,
        env={**os.environ, "PYTHONPATH": found_at, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize("library", LIBRARIES[:3])
def test_every_module_that_a_library_has_imported_is_found_under_its_stand_in(library: str) -> None:
    pytest.importorskip(library)
    getattr(compat, library)
    names = [name for name in list(sys.modules) if name.startswith(f"{library}.") and sys.modules[name] is not None]
    other = [
        name
        for name in names
        if (stand_in := importlib.import_module(f"mlx_spectro.compat.{name}")) is not sys.modules[name]
        and not isinstance(stand_in, proxy.ReferenceProxy)
    ]
    assert names
    assert not other


# what a library defines in a module further inside: the path there, and where it is shown
INSIDE = {
    "librosa.core.spectrum.stft": "librosa.stft",
    "librosa.core.constantq.cqt": "librosa.cqt",
    "librosa.feature.spectral.melspectrogram": "librosa.feature.melspectrogram",
    "librosa.util.utils.normalize": "librosa.util.normalize",
    "torch.functional.istft": "torch.istft",
    "torchaudio.functional.filtering.lfilter": "torchaudio.functional.lfilter",
    "torchaudio.transforms._transforms.Spectrogram": "torchaudio.transforms.Spectrogram",
}


@pytest.mark.parametrize("place", INSIDE)
def test_modules_further_inside_show_ours_too(place: str) -> None:
    path, _, name = place.rpartition(".")
    shown_in, _, _ = INSIDE[place].rpartition(".")
    pytest.importorskip(path.partition(".")[0])
    ours = getattr(importlib.import_module(f"mlx_spectro.compat.{shown_in}"), name)
    module = importlib.import_module(f"mlx_spectro.compat.{path}")
    assert getattr(module, name) is ours
    package, _, last = path.rpartition(".")
    assert getattr(importlib.import_module(f"mlx_spectro.compat.{package}"), last) is module
    assert importlib.reload(module) is module
    theirs = importlib.import_module(path)
    assert getattr(theirs, name) is not ours
    assert module.__file__ == theirs.__file__


def test_functions_that_name_a_stand_in_are_sent_to_other_processes() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    librosa = pytest.importorskip("mlx_spectro.compat.librosa")
    for stand_in in (librosa, librosa.feature, librosa.core.spectrum):
        assert pickle.loads(pickle.dumps(stand_in)) is stand_in

    def uses() -> Any:
        return compat.librosa.feature.rms, librosa

    code = "import pickle, sys; _, module = pickle.load(sys.stdin.buffer)(); print(module.__name__)"
    done = subprocess.run([sys.executable, "-c", code], input=cloudpickle.dumps(uses), capture_output=True, timeout=180)
    assert done.stdout.decode().strip() == "mlx_spectro.compat.librosa", done.stderr.decode()


STRANGE = {
    "hidden": "None",
    "a namespace": "types.SimpleNamespace()",
    "a mock": "unittest.mock.MagicMock()",
    "an empty module": "types.ModuleType('librosa')",
}


@pytest.mark.parametrize("stranger", STRANGE)
def test_what_a_program_puts_in_a_library_s_place_is_left_alone(stranger: str) -> None:
    code = f"""
import sys, types, unittest.mock
theirs = {STRANGE[stranger]}
sys.modules.update(librosa=theirs, **{{"librosa.core": theirs}})
from mlx_spectro import compat
for _ in range(2):
    compat.install("librosa")
    compat.uninstall()
print(sys.modules["librosa"] is theirs, "mlx_spectro.compat.librosa" in sys.modules)
"""
    assert told(code)[0] == "True False"


def test_a_finder_that_has_no_find_spec_is_passed_by() -> None:
    code = """
import sys
class Finder:  # as before Python 3.4
    def find_module(self, name, path=None): ...
sys.meta_path.insert(0, Finder())
from mlx_spectro import compat
compat.install("librosa")
import librosa
print(librosa.stft.__module__.partition(".")[0])
"""
    pytest.importorskip("librosa")
    assert told(code)[0] == "mlx_spectro"
    children = {"MLX_SPECTRO_RUN": '{"folder": null, "profile": false, "breaches": null}'}
    assert told(code, STARTUP, **children)[0] == "mlx_spectro"


def test_what_is_behind_a_finder_that_another_thread_has_taken_out_is_found() -> None:
    spec = finders.found_behind(installer._Watcher(), "json", None, None)
    assert spec is not None
    assert spec.origin == importlib.import_module("json").__file__


def test_a_stand_in_that_is_loaded_again_is_as_it_was() -> None:
    librosa = pytest.importorskip("mlx_spectro.compat.librosa")
    shown: list[Any] = [librosa.stft, librosa.feature, librosa.feature.mfcc, librosa.load]
    assert importlib.reload(librosa) is librosa
    assert compat.librosa is librosa
    assert shown == [librosa.stft, librosa.feature, librosa.feature.mfcc, librosa.load]


def test_a_library_that_ours_do_not_load_with_is_imported_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "librosa.py").write_text("stft = len")
    code = """
from mlx_spectro import compat
compat.install()
import librosa
compat.uninstall()
print(librosa.stft is len)
"""
    printed, said = told(code, tmp_path, MLX_SPECTRO_ON_FAULT="record")
    assert printed == "True"
    assert "librosa keeps its own functions, for ours do not load: " in said


def test_a_child_that_we_cannot_join_runs_without_us(tmp_path: Path) -> None:
    (tmp_path / "librosa.py").write_text("print('their own')")
    # of another version's, say, which knows nothing of profiles
    children = {"MLX_SPECTRO_RUN": "{}", "MLX_SPECTRO_ON_FAULT": "record"}
    printed, said = told("import librosa", STARTUP, tmp_path, **children)
    assert printed == "their own"
    assert "this process runs without mlx_spectro: KeyError: 'profile'" in said
