"""The runner: programs as Python runs them, profiles, verification, and what is said about mistakes."""

from __future__ import annotations

import importlib
import json
import os
import py_compile
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlx_spectro import compat
from mlx_spectro.compat.contract.adapter import adapters
from mlx_spectro.compat.contract.decline import Decline
from mlx_spectro.compat.diagnostics import profile, reproduction
from mlx_spectro.compat.diagnostics.report import Run

from .. import doors

torch = pytest.importorskip("torch")

RUNNER = (sys.executable, "-m", "mlx_spectro.compat")


def run(*args: str, cwd: Path, under: tuple[str, ...] = RUNNER) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MLX_SPECTRO_ROUTE": "ours"}
    return subprocess.run([*under, *args], capture_output=True, text=True, timeout=180, cwd=cwd, env=environment)


def write(folder: Path, **sources: str) -> None:
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)


STFT = "torch.stft(torch.ones(500), 64, window=torch.ones(64), return_complex=True)"


@pytest.mark.parametrize("verb", ["", "extract", "parity", "replay", "doctor", "warm"])
def test_help_fits_80_columns_and_has_no_colours_in_a_pipe(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = run(*filter(None, [verb]), "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout


@pytest.mark.slow
class TestAsPythonRunsIt:
    """Each program runs under Python alone and under the runner; what it prints and how it ends is the same."""

    PROGRAM = (
        "import sys, __main__\n"
        "import beside\n"
        "print(__name__, sys.argv, sys.path[0], __main__.__file__, __spec__ and __spec__.name, __package__)\n"
        "print(__main__.__dict__ is globals(), sorted(globals()))\n"
        "def fail():\n"
        "    raise KeyError('a mistake')\n"
        "try:\n"
        "    1 / 0\n"
        "except ZeroDivisionError:\n"
        "    fail()\n"
    )

    def alike(self, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        plain, under = run(*args, cwd=cwd, under=(sys.executable,)), run(*args, cwd=cwd)
        assert under.stdout == plain.stdout
        assert under.returncode == plain.returncode
        # Python shows what found a module
        assert under.stderr == re.sub(r'  File ".*runpy.*\n(    .*\n)*', "", plain.stderr)
        return under

    def test_a_script_and_its_traceback(self, tmp_path: Path) -> None:
        (tmp_path / "inside").mkdir()
        write(tmp_path / "inside", program=self.PROGRAM, beside="")
        done = self.alike("inside/program.py", "--verify", "-x", cwd=tmp_path)
        assert "KeyError: 'a mistake'" in done.stderr
        assert done.returncode == 1

    def test_a_package_that_fails(self, tmp_path: Path) -> None:
        (tmp_path / "package").mkdir()
        write(tmp_path, beside="")
        write(tmp_path / "package", __init__="", __main__=self.PROGRAM)
        done = self.alike("-m", "package", "a", cwd=tmp_path)
        assert "KeyError" in done.stderr
        (tmp_path / "package" / "__init__.py").write_text("raise RuntimeError('at import')")
        assert "at import" in run("-m", "package", cwd=tmp_path).stderr

    def test_a_folder_and_code(self, tmp_path: Path) -> None:
        write(tmp_path, __main__="import sys, beside; print(sys.argv, __name__); sys.exit('stopped')", beside="")
        assert self.alike(".", "a", cwd=tmp_path).stderr == "stopped\n"
        self.alike(
            "-c", "import sys\nprint(sys.argv, sys.path[0] == '', [n for n in dir()])\nsys.exit(3)", "-c", cwd=tmp_path
        )

    def test_a_script_behind_links_is_the_one_that_python_runs(self, tmp_path: Path) -> None:
        tell = "import sys; print({!r}, __file__, sys.path[0], sys.argv)"
        (tmp_path / "other" / "deep").mkdir(parents=True)
        write(tmp_path, program=tell.format("here"))
        write(tmp_path / "other", program=tell.format("there"), __main__=self.PROGRAM, beside="")
        (tmp_path / "link").symlink_to("other/deep")
        (tmp_path / "folder").symlink_to("other")
        assert self.alike("link/../program.py", cwd=tmp_path).stdout.startswith("there")
        for script in ("./program.py", "other/../program.py", "folder"):
            self.alike(script, cwd=tmp_path)

    def test_a_program_from_a_pipe_and_a_compiled_one(self, tmp_path: Path) -> None:
        write(tmp_path, program="import sys; print(__name__, __file__, sys.argv); sys.exit(3)")
        py_compile.compile(str(tmp_path / "program.py"), str(tmp_path / "program.pyc"))
        assert self.alike("program.pyc", "a", cwd=tmp_path).returncode == 3
        for script in ("-", "/dev/stdin"):
            plain, under = (
                subprocess.run(
                    [*command, script, "a"], input=(tmp_path / "program.py").read_text(), cwd=tmp_path,
                    capture_output=True, text=True, timeout=180,
                )
                for command in ((sys.executable,), RUNNER)
            )  # fmt: skip
            assert (under.returncode, under.stdout) == (plain.returncode, plain.stdout)
            assert under.returncode == 3, under.stderr

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="Python has no -P")
    def test_a_folder_finds_its_modules_where_scripts_are_not_to(self, tmp_path: Path) -> None:
        write(tmp_path, __main__="import beside, sys; print(sys.path[0])", beside="")
        plain, under = (
            run("-P", *command, str(tmp_path), cwd=tmp_path, under=(sys.executable,)) for command in ((), RUNNER[1:])
        )
        assert under.stdout == plain.stdout == f"{tmp_path}\n", under.stderr

    def test_a_syntax_error(self, tmp_path: Path) -> None:
        write(tmp_path, program="def f(:\n    pass\n")
        assert "SyntaxError" in self.alike("program.py", cwd=tmp_path).stderr

    def test_errors_of_the_libraries_show_no_frame_of_ours(self, tmp_path: Path) -> None:
        write(
            tmp_path, program="import torch\ntorch.stft(torch.ones(5), 64, window=torch.ones(3), return_complex=True)\n"
        )
        done = run("program.py", cwd=tmp_path)
        assert "RuntimeError" in done.stderr
        assert "compat" not in done.stderr
        assert done.returncode == 1

    def test_mistakes_are_named_and_nothing_is_run(self, tmp_path: Path) -> None:
        write(tmp_path, program="print('ran')")
        (tmp_path / "package").mkdir()
        for args, status, message in (
            (("--verify", "--strict", "program.py"), 2, "not allowed with"),
            ((), 2, "a script, -m MODULE or -c CODE is needed"),
            (("no_such_script.py",), 2, "can't open 'no_such_script.py': no such file"),
            (("package",), 1, "there is no __main__.py in 'package'"),
            (("-m", "no_such.module"), 1, "no module named no_such.module"),
            (("-m", "package"), 1, "package is a package without a __main__"),
            (("--report", "no/p.html", "program.py"), 2, "there is no folder no"),
            (("--report", "p.txt", "program.py"), 2, "must end in .html or .json"),
            (("replay", "nothing.npz"), 2, "there is no file nothing.npz"),
            (("replay", "program.py"), 2, "not a call that verify saved"),
        ):
            done = run(*args, cwd=tmp_path)
            assert message in done.stderr
            assert (done.returncode, done.stdout) == (status, "")

    def test_the_version_is_said(self, tmp_path: Path) -> None:
        done = run("--version", cwd=tmp_path)
        python = ".".join(map(str, sys.version_info[:3]))
        assert done.stdout == f"mlx-spectro-compat {version('mlx-spectro-compat')} (python {python})\n"

    def test_ctrl_c_shows_the_profile_so_far(self, tmp_path: Path) -> None:
        write(tmp_path, program=f"import torch, time\n{STFT}\nprint('ready', flush=True)\ntime.sleep(60)\n")
        with subprocess.Popen(
            [*RUNNER, "--profile", "program.py"],
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # who runs the tests in the background may have them ignore Ctrl-C, and so their children
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGINT
        assert "KeyboardInterrupt" in said
        assert "torch.stft" in said.partition("Functions, slowest first")[2]


@pytest.mark.slow
class TestChildren:
    PROGRAM = f"""
import multiprocessing, os, subprocess, sys, torch
def work(n):
    for _ in range(n): {STFT}
if __name__ == "__main__":
    work(1)
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            pool.map(work, [2, 3])
    subprocess.run([sys.executable, "-c", '''import torch, os
{STFT}
os.kill(os.getpid(), 9)'''])
    subprocess.run([sys.executable, "-c", "import sys; print('mlx_spectro' in sys.modules)"])
"""

    def test_children_of_every_kind_are_recorded_however_they_end(self, tmp_path: Path) -> None:
        write(tmp_path, program=self.PROGRAM)
        done = run("--profile", "--report", "p.json", "program.py", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "False\n"
        report = json.loads((tmp_path / "p.json").read_text())
        assert report["processes"] == 4
        calls = {Path(record["file"]).name: record["calls"] for record in report["records"] if not record["reason"]}
        assert calls == {"program.py": 1 + 5 + 5, "<string>": 1}
        assert not [record for record in report["records"] if record["reason"]]

    def test_a_breach_in_a_child_is_reported_by_the_program(self, tmp_path: Path) -> None:
        child = (
            f"import torch\nfrom mlx_spectro.compat.contract.adapter import adapters\n{STFT}\n"
            "function = adapters['torch.stft'].function\ntheirs = function.theirs\n"
            "function.theirs = lambda *args, **options: 1.001 * theirs(*args, **options)\n"
            f"{STFT}\n{STFT}\n"
        )
        write(tmp_path, child=child, program="import subprocess, sys; subprocess.run([sys.executable, 'child.py'])")
        done = run("--verify", "program.py", cwd=tmp_path)
        assert done.returncode == 1
        assert "child.py:7" in done.stderr.partition("breaches first")[2]
        assert (tmp_path / "mlx_spectro_breaches" / "torch.stft-child-7.npz").exists()
        assert "mlx-spectro replay mlx_spectro_breaches/torch.stft-child-7.npz" in done.stderr

    def test_the_sitecustomize_that_ours_hides_runs(self, tmp_path: Path) -> None:
        write(tmp_path, sitecustomize="import builtins; builtins.theirs = 7")
        startup = Path(compat.__file__).parent / "install" / "startup"
        path = os.pathsep.join([str(startup), str(tmp_path)])
        done = subprocess.run(
            [sys.executable, "-c", "print(theirs)"],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
        )
        assert done.stdout == "7\n", done.stderr


class Clock:
    """A clock that goes on by what is slept alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.usefixtures("ours")
class TestProfile:
    X = torch.ones(1000)

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        clock = Clock()
        monkeypatch.setattr(profile, "time", clock)
        monkeypatch.setattr(profile, "_costs", {})
        return clock

    def door(self, clock: Clock, ours: Iterable[float], theirs: Iterable[float]) -> Callable[..., Any]:
        """A function whose calls take these seconds, and the last of them from then on."""
        seconds = {name: iter(values) for name, values in (("ours", ours), ("theirs", theirs))}
        last: dict[str, float] = {}

        def work(who: str) -> None:
            last[who] = next(seconds[who], last.get(who, 0.0))
            clock.sleep(last[who])

        def plan(x: Any) -> Any:
            if x.numel() < 10:
                raise Decline("few values")
            return lambda: work("ours")

        return doors.door("torch.slow", lambda x: work("theirs"), plan)

    def test_times_and_savings_are_those_of_the_calls(self, clock: Clock) -> None:
        door = self.door(clock, [0.01], [0.05])
        with compat.profile():
            for _ in range(3):
                door(self.X)
            door(self.X[:5])
        fallback, served = compat.report()
        assert served.seconds == pytest.approx(0.03)
        assert served.reference == pytest.approx(0.15)
        assert served.once == pytest.approx(0)
        assert (served.calls, served.device) == (3, "cpu, host kernels") or served.device == "MLX's device"
        assert fallback.seconds == pytest.approx(0.05)
        assert (fallback.reason, fallback.reference, fallback.device) == ("few values", 0.0, "cpu")

    @pytest.mark.parametrize("compiling", [0.1, 5.0])
    def test_both_are_compared_warm_and_what_is_spent_once_stands_apart(self, clock: Clock, compiling: float) -> None:
        door = self.door(clock, [0.01 + compiling, 0.01], [0.05 + compiling, 0.05])
        with compat.profile():
            for _ in range(3):
                door(self.X)
        (served,) = compat.report()
        assert served.seconds == pytest.approx(0.03 + compiling)
        assert served.once == pytest.approx(compiling)
        assert served.reference == pytest.approx(0.15)
        table = Run("program", [served], 9.0, profiled=True).tables()[0]
        row = dict(zip(table.header, table.rows[0], strict=True))
        assert (row["once"], row["saved"]) == (f"{1e3 * compiling:.0f} ms" if compiling < 1 else "5 s", "120 ms")

    def test_a_total_and_the_share_of_calls_that_we_served_are_said(self, clock: Clock) -> None:
        door = self.door(clock, [0.01], [0.05])
        other = doors.door("torch.other", lambda x: None, doors.declining("why not"))
        with compat.profile():
            for _ in range(3):
                door(self.X)
            other(self.X)
        run = Run("program", compat.report(), 1.0, profiled=True)
        table = run.tables()[0]
        assert [row[0] for row in table.rows] == ["torch.slow", "torch.other", "total"]
        assert dict(zip(table.header, table.rows[-1], strict=True)) == {
            "function": "total", "device": "", "calls": "4", "ours": "3", "theirs": "1", "time": "30 ms",
            "once": "", "saved": "120 ms",
        }  # fmt: skip
        assert run.times == "1 s, 30 ms of it in 4 calls, 75% of them served by us"

    def test_a_call_inside_a_call_is_counted_once(self, clock: Clock) -> None:
        inner = self.door(clock, [0.03], [0.0])
        outer = doors.door("torch.outer", inner, doors.declining("why not"))
        with compat.profile():
            outer(self.X)
        seconds = {record.function: record.seconds for record in compat.report()}
        assert seconds["torch.slow"] == pytest.approx(0.03)
        assert seconds["torch.outer"] == pytest.approx(0)

    def test_a_call_of_the_reference_s_own_is_part_of_the_call_around_it(self, clock: Clock) -> None:
        inner = self.door(clock, [0.0], [0.03])
        outer = doors.door("torch.outer", inner, doors.declining("why not"))
        with compat.profile(), compat.numerics("strict"):
            outer(self.X)
        (record,) = compat.report()
        assert record.function == "torch.outer"
        assert record.seconds == pytest.approx(0.03)

    def test_random_numbers_and_gradients_are_as_without_it(self) -> None:
        def program(module: Any) -> tuple[Any, Any]:
            torch.manual_seed(0)
            x = torch.randn(500, requires_grad=True)
            z = module.stft(x, 64, 16, window=torch.ones(64), return_complex=True)
            (z.abs().sum() * torch.rand(())).backward()
            return x.grad, torch.rand(3)

        expected = program(compat.torch)
        with compat.profile():
            assert all(map(torch.equal, program(compat.torch), expected))
        with compat.numerics("verify"):
            assert all(map(torch.equal, program(compat.torch), expected))

    def test_a_call_costs_few_python_calls(self) -> None:
        result = torch.zeros(3)
        door = doors.door("torch.quick", lambda *_: result, lambda *_: lambda: result)
        args = (self.X, 64, 16, None, self.X, True, "reflect", False, None, True)

        def calls() -> int:
            """Calls of Python functions in one of the door, the plan's and the work's among them."""
            door(*args)
            events = []
            sys.setprofile(lambda frame, event, _: events.append(event))
            try:
                door(*args)
            finally:
                sys.setprofile(None)
            return events.count("call")

        assert calls() < 20
        with compat.profile():
            assert calls() < 40
        assert not profile.on


class TestVerify:
    def test_breaches_come_first_with_a_reproduction_that_replays(self, tmp_path: Path) -> None:
        wrong = (
            "import torch\n"
            "from mlx_spectro.compat import torch as shim; from mlx_spectro.compat.contract.adapter import adapters\n"
            "function = adapters['torch.stft'].function\n"
            "x, window = torch.ones(500), torch.ones(64)\n"
            "torch.istft(torch.stft(x, 64, window=window, return_complex=True), 64, window=window)\n"
            "right = function.plan\n"
            "def wrong(*args, **kwargs):\n"
            "    work = right(*args, **kwargs)\n"
            "    return lambda: work() * 1.01\n"
            "function.plan = wrong; function.forget()\n"
            "for _ in range(3): torch.stft(x, 64, window=window, return_complex=True)\n"
            "print('went on')\n"
        )
        write(tmp_path, program=wrong)
        done = run("--verify", "--report", "v.html", "program.py", cwd=tmp_path)
        assert (done.stdout, done.returncode) == ("went on\n", 1), done.stderr
        assert done.stderr.count("RuntimeWarning: torch.stft") == 1
        lines = done.stderr.partition("breaches first\n")[2].splitlines()
        assert lines[0].split("  ")[0] == "verified"
        assert "program.py:11" in lines[1]
        assert lines[1].endswith("3 breaches")
        assert [line.endswith("ok") for line in lines[2:4]] == [True, True]
        saved = "mlx_spectro_breaches/torch.stft-program-11.npz"
        assert f"mlx-spectro replay {saved}" in done.stderr
        page = (tmp_path / "v.html").read_text()
        assert "3 breaches" in page
        # our function is right in a process of its own
        again = run("replay", saved, cwd=tmp_path)
        assert again.returncode == 0, again.stderr
        assert "ok" in again.stdout

    def test_an_array_that_is_written_to_is_left_to_ours(self) -> None:
        out = np.zeros(4)

        def theirs(x: Any, *, out: Any) -> Any:
            out[:] = x + 1
            return out

        def plan(x: Any, *, out: Any) -> Any:
            def work() -> Any:
                out[:] = x
                return out

            return work

        door = doors.door("librosa.fake", theirs, plan, lambda *_: 1e-6)
        with compat.numerics("verify"), pytest.raises(compat.VerificationError, match="differs by 1, limit"):
            door(np.ones(4), out=out)
        assert np.array_equal(out, np.ones(4))

    @pytest.mark.parametrize("which", ["transform", "options"])
    def test_a_saved_call_comes_back_as_it_was(
        self, which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        importlib.import_module("mlx_spectro.compat.torch")  # registers its functions

        monkeypatch.setattr(reproduction, "folder", tmp_path)
        monkeypatch.chdir(tmp_path)
        if which == "transform":
            pytest.importorskip("torchaudio")
            pytest.importorskip("mlx_spectro.compat.torchaudio")

            from torchaudio.transforms import MelSpectrogram

            class Own(MelSpectrogram):  # type: ignore[misc]
                pass

            own = Own(8000, n_fft=256, n_mels=12)
            door = adapters["torchaudio.transforms.MelSpectrogram"].function
            path = reproduction.save(door, (own, torch.ones(1000)), {})
            function, (again, x), _ = reproduction.load(Path(path))
            assert torch.equal(own(x), again(x))
            assert function is door
            return
        door = adapters["torch.stft"].function
        options = {"ref": np.max, "dtype": np.float32, "pair": (1, [2.5, None]), "w": np.arange(3), "k": np.float64(3)}
        path = reproduction.save(door, (torch.arange(4), torch.float64), options)
        _, (x, dtype), found = reproduction.load(Path(path))
        assert torch.equal(x, torch.arange(4))
        assert dtype is torch.float64
        assert np.array_equal(found.pop("w"), np.arange(3))
        assert found == {key: value for key, value in options.items() if key != "w"}
        assert reproduction.save(door, (object(),), {}).startswith("not saved: an argument is <object")
