"""Where compiled code and measurements are kept, however odd that place is: a program never ends for it."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlx_spectro import caches
from mlx_spectro.compat.contract import records
from mlx_spectro.compat.diagnostics import reproduction
from mlx_spectro.compat.runner import doctor, subprocesses
from mlx_spectro.kernels import cpu, tuning_cache

if not cpu.available():
    pytest.skip("host kernels need numba", allow_module_level=True)

from mlx_spectro.kernels.cpu.runtime import compile

POSIX = pytest.mark.skipif(os.name != "posix", reason="links and modes as POSIX has them")


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A process that has neither looked for its folders nor said anything."""
    monkeypatch.setattr(compile, "_said", False)
    monkeypatch.setattr(compile, "_say_once", lambda: None)
    monkeypatch.setattr(compile, "_kernels", [])
    caplog.set_level(logging.WARNING, "mlx_spectro")
    compile.cache_folder.cache_clear()
    tuning_cache.forget()
    yield
    compile.cache_folder.cache_clear()
    tuning_cache.forget()


def dangling(home: Path) -> Path:
    (home / "cache").symlink_to(home / "gone")
    return home / "cache" / "mlx-spectro"


def a_file(home: Path) -> Path:
    (home / "cache").write_text("")
    return home / "cache" / "mlx-spectro"


def of_somebody_else(home: Path) -> Path:
    folder = home / "mlx-spectro" / "host-kernels" / compile._key()
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    return home / "mlx-spectro"


def too_long(home: Path) -> Path:
    return home / ("n" * 300)


ODD: list[Callable[[Path], Path | None]] = [dangling, a_file, of_somebody_else, too_long, lambda _: None]


@POSIX
@pytest.mark.parametrize("place", ODD, ids=["a dangling link", "a file", "open to all", "too long", "no home"])
def test_an_odd_place_is_done_without_and_said_once(
    place: Callable[[Path], Path | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    folder = place(tmp_path)
    monkeypatch.setattr(caches, "folder", lambda: folder)
    assert compile.cache_folder() is None
    double = compile.kernel(lambda x: x + x)
    triple = compile.kernel(lambda x: x + x + x)
    assert (double(2), triple(2)) == (4, 6)
    assert len(caplog.records) == 1
    assert "not kept" in caplog.text
    assert not cpu.load() or not caches.host_kernels()
    (finding,) = doctor._caches()
    assert "kept nowhere" in finding.state
    assert not finding.wrong


@POSIX
@pytest.mark.parametrize("place", [dangling, a_file, too_long, lambda _: None], ids=["link", "file", "long", "home"])
def test_measurements_without_a_place_are_this_process_s(
    place: Callable[[Path], Path | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    folder = place(tmp_path)
    monkeypatch.setattr(caches, "folder", lambda: folder)
    monkeypatch.delenv("SPEC_MLX_AUTOTUNE_CACHE_PATH", raising=False)
    tuning_cache.put("a", 1)
    tuning_cache.put("b", 2)
    assert tuning_cache.entries() == {"a": 1, "b": 2}
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@POSIX
def test_a_user_without_a_home_gets_no_folder_called_tilde(tmp_path: Path) -> None:
    # a user whom the system does not know, either
    code = (
        "import pwd\n"
        "pwd.getpwuid = {}.__getitem__\n"
        "from mlx_spectro import caches\n"
        "print(caches.folder(), caches.host_kernels())\n"
    )
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert (done.stdout, done.returncode) == ("None []\n", 0), done.stderr
    assert not list(tmp_path.iterdir())


def no_room(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@POSIX
def test_a_full_disk_is_said_once_and_the_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    double = compile.kernel(lambda x: x + x)
    monkeypatch.setattr(os, "replace", no_room)
    assert (double(2), double(2.5)) == (4, 5)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "No space left" in caplog.text
    assert not list(tmp_path.rglob("*.nb?"))


@POSIX
def test_a_folder_that_vanished_is_made_again_for_us_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    double = compile.kernel(lambda x: x + x)
    folder = compile.cache_folder()
    assert folder is not None
    folder.rmdir()
    before = os.umask(0o002)
    try:
        assert double(2) == 4
    finally:
        os.umask(before)
    assert list(folder.glob("*.nbi"))
    assert folder.stat().st_mode & 0o777 == 0o700


def stored(function: Callable[..., Any]) -> Any:
    """The function compiled, as another process would find it."""
    return compile.kernel(function)


def doubled(x: Any) -> Any:
    return x + x


@POSIX
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04garbage", b"cos\nnothing\n."])
def test_damaged_files_are_compiled_again_and_written_anew(
    ending: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    assert stored(doubled)(2) == 4
    (file,) = tmp_path.rglob(f"*.{ending}")
    file.write_bytes(content)
    again = stored(doubled)
    assert again(2) == 4
    assert sum(again.stats.cache_misses.values()) == 1
    assert len(caplog.records) == 1
    healed = stored(doubled)
    assert healed(2) == 4
    assert sum(healed.stats.cache_hits.values()) == 1


def test_another_type_s_code_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    both = stored(doubled)
    assert (both(2), both(2.5)) == (4, 5.0)
    one, other = sorted(tmp_path.rglob("*.nbc"))
    # as two processes leave it that each take the first free number
    one.write_bytes(other.read_bytes())
    again = stored(doubled)
    assert (again(3), again(3.5)) == (6, 7.0)


def test_what_is_kept_is_loaded_and_nothing_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    fresh = stored(doubled)
    assert not compile.load_cache()
    assert not fresh.signatures
    assert fresh(2) == 4
    monkeypatch.setattr(compile, "_kernels", [])
    again = stored(doubled)
    assert compile.load_cache()
    assert again.signatures == fresh.signatures
    assert not again.stats.cache_misses


@POSIX
def test_the_doctor_survives_a_folder_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    stored(doubled)(2)
    (finding,) = doctor._caches()
    assert "MiB" in finding.state
    monkeypatch.setattr(os, "access", lambda *_: False)
    (finding,) = doctor._caches()
    assert "read-only" in finding.state
    shutil.rmtree(tmp_path)
    (finding,) = doctor._caches()
    assert "0.0 MiB" in finding.state


def test_a_breach_that_cannot_be_saved_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlx_spectro.compat.contract.function import Function

    (tmp_path / "taken").write_text("")
    monkeypatch.setattr(reproduction, "folder", tmp_path / "taken" / "breaches")
    function = Function("librosa.fake", lambda x: x, lambda x: lambda: x, lambda *_: 1.0, lambda *_: 2)
    assert reproduction.save(function, (1,), {}).startswith("not saved: ")


def test_records_without_room_for_them_are_lost_and_the_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(os, "open", no_room)
    records.mirror_to(subprocesses.Mirror(tmp_path))
    try:
        for _ in range(2):
            assert records.record("torch.stft") is not None
    finally:
        records.mirror_to(None)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert records.report()[0].calls == 2
