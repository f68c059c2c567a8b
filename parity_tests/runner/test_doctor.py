"""What the doctor says of a machine, whole and broken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlx_spectro.compat.runner import doctor
from mlx_spectro.ops import backend


def test_a_whole_machine_is_well() -> None:
    done = subprocess.run([sys.executable, "-m", "mlx_spectro.compat", "doctor"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert "Device(" in lines["MLX back end"]
    assert "mlx-spectro-compat" in lines["versions"]
    for what in ("host kernels", "GPU kernels", "CPU threads", "extra host"):
        assert what in lines
    assert "work; the first call took" in done.stdout


def test_two_back_ends_that_destroy_each_other_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("mlx_cpu", "mlx_cuda_13"):
        folder = tmp_path / f"{package}-0.32.4.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.32.4\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    (finding,) = doctor.back_end()
    assert finding.wrong
    assert "mlx-cpu 0.32.4, mlx-cuda-13 0.32.4" in finding.state
    assert "pip uninstall mlx-cpu mlx-cuda-13, then" in finding.remedy


def test_another_project_in_our_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mlx_spectro-0.9.10.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: mlx-spectro\nVersion: 0.9.10\n")
    # an editable install of a checkout owns none of the package's own modules
    (folder / "RECORD").write_text("mlx_spectro/_parity/case.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(doctor.other_project()) == []
    (folder / "RECORD").write_text("mlx_spectro/__init__.py,,\nmlx_spectro/spectral_ops.py,,\n")
    (finding,) = doctor.other_project()
    assert finding.wrong
    assert finding.state.startswith("0.9.10")
    assert "pip uninstall mlx-spectro, then install mlx-spectro-compat again" in finding.remedy


def test_a_missing_back_end_and_a_broken_one_have_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_BACK_ENDS", ())
    monkeypatch.setattr(doctor, "_start_of_mlx", lambda: (-11, "ended with status -11"))
    (finding,) = doctor.back_end()
    assert finding.wrong
    assert "reinstall" in finding.remedy
    monkeypatch.setattr(backend, "has_mlx", lambda: False)
    (finding,) = doctor.back_end()
    assert not finding.wrong
    assert "mlx-spectro-compat[cpu]" in finding.remedy


def test_it_runs_where_mlx_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "mlx" / "lib").mkdir(parents=True)
    (tmp_path / "mlx" / "lib" / "libmlx.so").touch()
    (tmp_path / "mlx" / "__init__.py").touch()
    (tmp_path / "mlx" / "core.py").write_text("raise ImportError('undefined symbol')")
    done = subprocess.run(
        [sys.executable, "-m", "mlx_spectro.compat", "doctor"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "ImportError: undefined symbol" in done.stdout
    assert "host kernels" in done.stdout
    assert "GPU kernels" not in done.stdout


def test_a_process_that_dies_or_hangs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._probe("import os; os.abort()") == (-6, "ended with status -6")
    assert doctor._probe("raise OSError('no such library')") == (1, "OSError: no such library")
    monkeypatch.setattr(doctor, "_SECONDS", 0.2)
    assert doctor._probe("import time; time.sleep(9)") == (1, "no answer after 0.2 s")


def test_a_folder_s_own_modules_are_not_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "colorsys.py").write_text("raise ImportError('a program of the user')\n")
    monkeypatch.chdir(tmp_path)
    assert doctor._probe("import colorsys; print('found')") == (0, "found")


@pytest.mark.parametrize(("platform", "device"), [("linux", "cuda"), ("darwin", "mps")])
def test_torch_s_gpu_is_tried_and_what_it_lacks_has_a_remedy(
    platform: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = 0, f"{device}:0, our kernels"
    monkeypatch.setattr(doctor, "_probe", lambda code: answer if f"device='{device}'" in code else None)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/dev/nvidiactl")
    what = f"{device.upper()} tensors"
    assert list(doctor._gpu_tensors()) == [doctor.Finding(what, answer[1])]
    answer = 0, "cuda.bindings is not installed: pip install cuda-bindings"
    assert list(doctor._gpu_tensors()) == [doctor.Finding(what, "served by torch", answer[1])]
    answer = 1, "RuntimeError: out of memory"
    (finding,) = doctor._gpu_tensors()
    assert (finding.state, finding.wrong) == (answer[1], True)
    answer = 0, "no device"
    (finding,) = doctor._gpu_tensors()
    assert (finding.state, finding.wrong) == ("torch finds no such device", False)
    assert finding.remedy


@pytest.mark.parametrize(("device", "asked"), [("cuda", "cuda"), ("mps", "backends.mps")])
def test_torch_is_asked_for_its_gpu(device: str, asked: str) -> None:
    status, said = doctor._probe(doctor._ON_GPU.format(device, asked))
    assert status == 0, said
