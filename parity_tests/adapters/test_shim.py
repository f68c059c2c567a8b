"""Proxies, settings, records, verification, installing and the runner."""

from __future__ import annotations

import contextvars
import importlib
import logging
import re
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlx_spectro import compat
from mlx_spectro.compat.install import proxy

from .. import doors

torch = pytest.importorskip("torch")

ROOT = Path(__file__).parent.parent
WINDOW = torch.hann_window(64)
X = torch.from_numpy(np.random.default_rng(0).standard_normal(1000).astype(np.float32))


def python(code: str, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, *args, "-c", code] if code else [sys.executable, *args],
        capture_output=True, text=True, timeout=180, cwd="/", env={**os.environ, **environment},
    )  # fmt: skip


def say(code: str, **environment: str) -> str:
    done = python(code, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def stft(module: Any = None, **options: Any) -> Any:
    return (module or compat.torch).stft(X, 64, 16, window=WINDOW, return_complex=True, **options)


class TestProxies:
    def test_names_that_are_not_ours_are_the_library_s_own(self) -> None:
        assert compat.torch.nn is torch.nn
        assert compat.torch.Tensor is torch.Tensor
        assert compat.torch.stft is not torch.stft
        assert set(dir(torch)) <= set(dir(compat.torch))

    def test_setting_and_deleting_reaches_the_library(self) -> None:
        ours: Any = compat.torch
        ours.of_this_test = 1
        assert torch.of_this_test == 1
        del ours.of_this_test
        assert not hasattr(torch, "of_this_test")
        with pytest.raises(AttributeError):
            _ = ours.of_this_test

    def test_submodules_are_the_library_s_own_modules(self) -> None:
        functional = importlib.import_module("mlx_spectro.compat.torch.nn.functional")
        assert functional is torch.nn.functional
        for module in (torch.nn, torch.nn.functional):
            assert module.__spec__ is not None
            assert module.__spec__.name == module.__name__
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("mlx_spectro.compat.torch.no_such_module")

    def test_a_stand_in_is_a_module_that_inspect_and_pickle_understand(self) -> None:
        import inspect
        import pickle

        assert isinstance(compat.torch, types.ModuleType)
        assert isinstance(compat.torch, proxy.ReferenceProxy)
        assert inspect.getsourcefile(compat.torch.stft)
        assert pickle.loads(pickle.dumps(compat.torch.stft)) is compat.torch.stft

    @pytest.mark.slow
    def test_the_import_forms_of_changed_code_work(self) -> None:
        say(
            "import mlx_spectro.compat.torch.nn.functional as F\n"
            "from mlx_spectro.compat import torch\n"
            "from mlx_spectro.compat.torch import nn, stft\n"
            "from mlx_spectro.compat.torch.utils.data import DataLoader\n"
            "import torch as real\n"
            "assert F is real.nn.functional and nn is real.nn and DataLoader is real.utils.data.DataLoader\n"
            "assert stft is torch.stft is not real.stft\n"
        )

    @pytest.mark.slow
    def test_librosa_s_submodules_can_be_imported(self) -> None:
        pytest.importorskip("librosa")
        say("from mlx_spectro.compat.librosa import display; import librosa.display as d; assert display is d")

    def test_a_library_that_is_missing_is_named(self) -> None:
        hidden = "import sys; sys.modules['{0}'] = None\nfrom mlx_spectro.compat import {0}"
        for library in ("torch", "torchaudio", "librosa"):
            done = python(hidden.format(library))
            assert done.returncode != 0
            assert library in done.stderr.splitlines()[-1]

    def test_the_folder_is_not_imported_under_its_own_name(self) -> None:
        done = subprocess.run([sys.executable, "-c", "import compat"], cwd=ROOT, capture_output=True, text=True)
        assert "imported as mlx_spectro.compat" in done.stderr


class TestSettings:
    def test_a_block_in_a_generator_may_end_in_another_context(self) -> None:
        def strictly() -> Iterator[str]:
            with compat.numerics("strict"):
                yield compat.numerics()

        generator = strictly()
        assert contextvars.copy_context().run(next, generator) == "strict"
        assert list(generator) == []
        assert compat.numerics() == "fast"
        assert not compat.contract.settings.numerics.changed

    def test_a_setting_is_a_call_a_context_and_a_variable(self) -> None:
        assert compat.numerics() == "fast"
        with compat.numerics("strict") as mode:
            assert mode == compat.numerics() == "strict"
        assert compat.numerics() == "fast"
        compat.numerics("verify")
        assert compat.numerics() == "verify"
        compat.numerics("fast")
        assert (
            say("from mlx_spectro import compat; print(compat.numerics())", MLX_SPECTRO_NUMERICS="strict") == "strict"
        )
        assert say("from mlx_spectro import compat; print(compat.route())", MLX_SPECTRO_ROUTE="ours") == "ours"

    def test_a_wrong_value_is_refused_where_it_was_set(self) -> None:
        with pytest.raises(ValueError, match="numerics must be one of 'fast', 'strict', 'verify', got 'exact'"):
            compat.numerics("exact")
        done = python("import mlx_spectro.compat", MLX_SPECTRO_ROUTE="best")
        assert "environment variable MLX_SPECTRO_ROUTE must be one of 'auto', 'ours', got 'best'" in done.stderr

    def test_a_context_belongs_to_its_thread(self) -> None:
        inside = threading.Event()
        leave = threading.Event()

        def work() -> None:
            with compat.numerics("strict"):
                inside.set()
                leave.wait(10)

        thread = threading.Thread(target=work)
        thread.start()
        inside.wait(10)
        assert compat.numerics() == "fast"
        leave.set()
        thread.join()

    def test_contexts_of_many_threads_leave_the_default_alone(self) -> None:
        def work() -> None:
            for _ in range(300):
                with compat.numerics("strict"), compat.numerics("verify"):
                    assert compat.numerics() == "verify"

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert compat.numerics() == "fast"


@pytest.mark.usefixtures("ours")
class TestNumerics:
    def test_strict_is_bit_identical(self) -> None:
        with compat.numerics("strict"):
            assert torch.equal(stft(), stft(torch))
        assert [record.reason for record in compat.report()] == ["strict numerics"]

    def test_verify_is_quiet_where_all_is_well(self) -> None:
        state = torch.get_rng_state()
        with compat.numerics("verify"):
            stft()
        assert torch.equal(torch.get_rng_state(), state)
        assert [(record.reason, record.calls) for record in compat.report()] == [("", 1)]

    def test_verify_raises_or_warns_of_a_breach_with_the_figures(self, monkeypatch: pytest.MonkeyPatch) -> None:
        wrong = doors.door("torch.stft", lambda x: x, lambda x: lambda: x * 1.001, lambda *_: 1e-6)
        expected = r"torch.stft\(torch float32\[1000\]\): differs by .*, limit .* \(largest value"
        with compat.numerics("verify"):
            with pytest.raises(compat.VerificationError, match=expected):
                wrong(X)
            with compat.on_breach("warn"), pytest.warns(RuntimeWarning, match=expected):
                wrong(X)

    def test_verify_finds_another_shape_dtype_kind_or_frame(self) -> None:
        nan = X.reshape(10, 100).clone()
        nan[3, 7] = np.nan
        other = X.reshape(10, 100).clone()
        other[3, 8] = np.nan
        for mine, theirs, message in (
            (X[:9], X, r"is torch float32\[9\], not torch float32\[1000\]"),
            (X.double(), X, r"is torch float64\[1000\]"),
            (X.numpy(), X, r"is float32\[1000\], not torch"),
            ((X, X), (X,), "is tuple of 2, not tuple of 1"),
            (other, nan, "NaN or infinity in other frames"),
        ):
            function = doors.door("f", lambda _, t=theirs: t, lambda _, m=mine: lambda: m)
            with compat.numerics("verify"), pytest.raises(compat.VerificationError, match=message):
                function(X)


@pytest.mark.usefixtures("ours")
class TestRecords:
    def test_a_fallback_is_recorded_with_its_reason_and_place(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, "mlx_spectro.compat"):
            for _ in range(3):
                compat.torch.stft(X.to(torch.complex64), 64, 16, return_complex=True, window=WINDOW)
        (record,) = compat.report()
        assert (record.function, record.calls) == ("torch.stft", 3)
        assert record.reason.startswith("the signal is complex")
        assert Path(record.file) == Path(__file__)
        assert len(caplog.records) == 1
        assert str(record.line) in caplog.text

    def test_a_fallback_can_be_an_error(self) -> None:
        with compat.on_fallback("raise"):
            stft()
            with pytest.raises(
                compat.FallbackError, match=r"torch\.stft was served by the reference: the signal is complex"
            ):
                compat.torch.stft(X.to(torch.complex64), 64, 16, return_complex=True, window=WINDOW)

    def test_records_are_bounded(self) -> None:
        from mlx_spectro.compat.contract import records

        for i in range(records._MOST + 5):
            records.record(f"f{i}")
        kept = compat.report()
        assert len(kept) == records._MOST + 1
        assert kept[0].calls == 5


class TestInstalling:
    def test_install_is_reversible(self) -> None:
        before = (
            torch.stft,
            torch.functional.stft,
            torch.Tensor.stft,
            torch.istft,
            torch.functional.istft,
            torch.Tensor.istft,
        )
        compat.install("torch")
        assert torch.stft is torch.functional.stft is compat.torch.stft
        assert torch.istft is torch.functional.istft is compat.torch.istft
        # which call the functions by their names in torch
        assert (torch.Tensor.stft, torch.Tensor.istft) == (before[2], before[5])
        compat.install("torch")
        compat.uninstall()
        after = (
            torch.stft,
            torch.functional.stft,
            torch.Tensor.stft,
            torch.istft,
            torch.functional.istft,
            torch.Tensor.istft,
        )
        assert after == before

    def test_methods_of_tensors_are_ours(self) -> None:
        compat.install("torch")
        with compat.route("ours"):
            z = X.stft(64, 16, window=WINDOW, return_complex=True)
            z.istft(64, 16, window=WINDOW, length=1000)
        assert {(record.function, record.reason) for record in compat.report()} == {
            ("torch.stft", ""),
            ("torch.istft", ""),
        }

    def test_what_others_put_there_since_is_left_alone(self) -> None:
        original = torch.stft
        compat.install("torch")
        torch.stft = len
        try:
            compat.uninstall()
            assert torch.stft is len
        finally:
            torch.stft = original

    @pytest.mark.slow
    def test_a_library_imported_later_is_patched_and_none_is_imported_for_it(self) -> None:
        say(
            "import sys\n"
            "from mlx_spectro import compat\n"
            "compat.install()\n"
            "assert not {'torch', 'torchaudio', 'librosa'} & set(sys.modules)\n"
            "import torch\n"
            "assert torch.stft.__module__ == 'mlx_spectro.compat.torch._spectral', torch.stft\n"
            "compat.uninstall()\n"
            "assert torch.stft.__module__ == 'torch.functional'\n"
        )

    @pytest.mark.slow
    def test_modules_that_are_imported_meanwhile_have_their_own_functions_again(self) -> None:
        pytest.importorskip("librosa")
        say(
            "import librosa\n"
            "from mlx_spectro import compat\n"
            "compat.install('librosa')\n"
            "import librosa.beat\n"
            "assert librosa.beat.fourier_tempogram.__module__.startswith('mlx_spectro.')\n"
            "compat.uninstall()\n"
            "assert librosa.beat.fourier_tempogram is librosa.feature.fourier_tempogram\n"
            "assert librosa.beat.fourier_tempogram.__module__ == 'librosa.feature.rhythm'\n"
        )

    def test_an_unknown_library_is_refused(self) -> None:
        with pytest.raises(ValueError, match="libraries must be among"):
            compat.install("scipy")


class TestReport:
    def test_it_is_a_list_that_is_shown_as_tables(self) -> None:
        assert "no call" in repr(compat.report())
        with compat.route("ours"):
            for _ in range(3):
                stft()
            with compat.numerics("strict"):
                stft()
        found = compat.report()
        assert isinstance(found, list)
        lines = [re.split("  +", text) for text in repr(found).splitlines()]
        assert lines[1] == ["served by the reference", "reason", "at", "calls"]
        assert lines[2][::3] == ["torch.stft", "1"]
        assert lines[2][1] == "strict numerics"
        assert f"{Path(__file__).name}:" in lines[2][2]
        assert lines[-1][::2] == ["torch.stft", "3"]
        assert str(found) == repr(found)


class TestImports:
    def test_importing_the_core_imports_no_reference_library(self) -> None:
        say(
            "import sys, mlx_spectro, mlx_spectro.compat\n"
            "assert not {'torch', 'torchaudio', 'librosa', 'numba', 'scipy'} & set(sys.modules), sys.modules\n"
            "assert 'mlx_spectro.compat.diagnostics.report' not in sys.modules\n"
        )

    def test_another_project_s_files_in_the_place_of_ours_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "mlx_spectro").mkdir()
        (tmp_path / "mlx_spectro" / "__init__.py").write_text("__version__ = '0.9.10'")
        (tmp_path / "mlx_spectro" / "compat").symlink_to(Path(compat.__file__).parent)
        done = subprocess.run(
            [sys.executable, "-c", "import mlx_spectro.compat"], cwd=tmp_path, capture_output=True, text=True
        )
        assert f"ImportError: {tmp_path}/mlx_spectro/__init__.py is another project's" in done.stderr
        assert "pip uninstall mlx-spectro, then install mlx-spectro-compat again" in done.stderr

    def test_without_a_back_end_the_extra_is_named(self) -> None:
        hidden = (
            "import pathlib, importlib.util as u; find = u.find_spec\n"
            "u.find_spec = lambda n, *a: None if n in {gone} else find(n, *a)\n"
            "import sys; sys.platform = 'linux'\n"
        )
        done = python(hidden.format(gone=("mlx", "numba", "cuda")) + "import mlx_spectro")
        assert "ImportError" in done.stderr
        assert "mlx-spectro-compat[cpu]" in done.stderr
        done = python(
            hidden.format(gone=("mlx",)) + "import mlx_spectro.compat\nfrom mlx_spectro import SpectralTransform"
        )
        assert "mlx-spectro-compat[cpu]" in done.stderr
        assert "SpectralTransform" in done.stderr


@pytest.mark.slow
def test_a_method_that_a_class_inherits_is_ours_and_given_back() -> None:
    code = """
import torchaudio
from mlx_spectro import compat
masking = torchaudio.transforms.FrequencyMasking
inherited = masking.forward
compat.install()
print(masking.forward is compat.torchaudio.transforms.FrequencyMasking.forward, masking.forward is inherited)
compat.uninstall()
print(masking.forward is inherited, "forward" in vars(masking))
"""
    assert say(code).split() == ["True", "False", "True", "False"]


@pytest.mark.slow
def test_a_library_first_imported_by_its_stand_in_is_patched() -> None:
    code = """
from mlx_spectro import compat
compat.install()
from mlx_spectro.compat import torchaudio as ours
import torchaudio
import torch
torchaudio.transforms.Spectrogram(n_fft=64)(torch.ones(1000))
same = torchaudio.functional.spectrogram is ours.functional.spectrogram
print(same, *[record.function for record in compat.report()])
"""
    assert say(code) == "True torchaudio.transforms.Spectrogram"


@pytest.mark.slow
def test_install_and_imports_of_other_threads_do_not_wait_for_each_other() -> None:
    code = """
import importlib, threading
from mlx_spectro import compat
imports = [lambda name=name: importlib.import_module(name) for name in ("torchaudio", "torchaudio.functional")]
threads = [threading.Thread(target=each, daemon=True) for each in (*imports, compat.install, *imports)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(120)
import torchaudio
print(any(thread.is_alive() for thread in threads), torchaudio.functional.spectrogram.__module__.partition(".")[0])
"""
    assert say(code) == "False mlx_spectro"
