"""Launch geometries are found once, where nothing is traced, and kept; a damaged file harms nobody."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

mx = pytest.importorskip("mlx.core")

from mlx_spectro import SpectralTransform, diagnostics
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import Stft
from mlx_spectro.features import _replay
from mlx_spectro.kernels import tuning_cache
from mlx_spectro.kernels.gpu import tune
from mlx_spectro.kernels.gpu.dialect import Launch
from mlx_spectro.kernels.gpu.launch_mlx import MlxLauncher, is_traced
from mlx_spectro.kernels.gpu.plan import Geometry, TuningKey
from mlx_spectro.ops import backend

SIZES = ("stft", 1024, 256, 1000)
LAUNCHER = MlxLauncher()
FAST = Geometry(steps=4)


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("SPEC_MLX_AUTOTUNE", "SPEC_MLX_AUTOTUNE_PERSIST", "SPEC_MLX_TGX"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "deep" / "autotune.json"
    monkeypatch.setenv("SPEC_MLX_AUTOTUNE_CACHE_PATH", str(path))
    tune.forget()
    yield path
    tune.forget()


class Clock:
    """Stands for the seconds of each geometry, and counts how often somebody looks."""

    def __init__(self, times: dict[Geometry, float]) -> None:
        self.times, self.looks = times, 0
        self.tried: set[Geometry] = set()

    def __call__(self, runs: dict[Geometry, Any], *_: Any) -> dict[Geometry, float]:
        self.looks += 1
        self.tried |= set(runs)
        return {geometry: self.times.get(geometry, 1.0) for geometry in runs}


def clock(monkeypatch: pytest.MonkeyPatch, times: dict[Geometry, float]) -> Clock:
    fake = Clock(times)
    monkeypatch.setattr(tune, "seconds", fake)
    return fake


def kind_of(kernel: str, n_fft: int, hop_length: int, frames: int) -> TuningKey:
    return TuningKey.of(kernel, Framing(n_fft, hop_length), frames)


def ask(*sizes: Any) -> Geometry | None:
    kind = kind_of(*(sizes or SIZES))
    choice = tune.geometry(kind, LAUNCHER, [mx.zeros(8)], lambda _geometry: lambda: mx.zeros(8))
    assert choice.settled
    return choice.geometry


def test_a_geometry_is_taken_where_it_saves_five_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, {FAST: 0.94})
    assert ask() == FAST
    clock(monkeypatch, {FAST: 0.96})
    assert ask("stft", 512, 128, 1000) == Geometry()


def test_a_geometry_is_found_once_a_kernel_size_hop_and_about_so_many_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    times = clock(monkeypatch, {FAST: 0.5})
    for sizes in (SIZES, SIZES, ("stft", 1024, 256, 1020)):
        ask(*sizes)
    assert times.looks == 1
    for sizes in (("istft", 1024, 256, 1000), ("stft", 512, 256, 1000), ("stft", 1024, 128, 1000), (*SIZES[:3], 9000)):
        ask(*sizes)
    assert times.looks == 5


def test_the_next_process_finds_it(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    clock(monkeypatch, {FAST: 0.5})
    ask()
    (key,) = json.loads(file.read_text())
    for part in (diagnostics.spec_mlx_device_key(), "mlx ", "stft", "1024", "256"):
        assert part in key
    tune.forget()
    assert ask() == FAST
    assert clock(monkeypatch, {}).looks == 0
    assert list(file.parent.iterdir()) == [file]


def test_entries_of_other_processes_stay(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    clock(monkeypatch, {})
    ask()
    theirs = {**json.loads(file.read_text()), "other": [0, 0, 0, 0]}
    file.write_text(json.dumps(theirs))
    ask("istft", 1024, 256, 1000)
    assert len(json.loads(file.read_text())) == 3


@pytest.mark.parametrize("content", ["{", "[]", "\x00"])
def test_a_damaged_file_is_ignored_and_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, file: Path, content: str
) -> None:
    clock(monkeypatch, {FAST: 0.5})
    file.parent.mkdir()
    file.write_text(content)
    assert ask() == FAST
    ask("istft", 1024, 256, 1000)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "is ignored" in caplog.text
    assert len(json.loads(file.read_text())) == 2


@pytest.mark.parametrize("entry", ["fast", [1], [1, 2, 3, "4"], [-1, 0, 0, 0], {"a": 1}])
def test_an_entry_of_another_form_is_found_anew(monkeypatch: pytest.MonkeyPatch, entry: Any) -> None:
    clock(monkeypatch, {FAST: 0.5})
    tuning_cache.put(tune.key(LAUNCHER.device(), kind_of(*SIZES)), entry)
    assert ask() == FAST


def test_a_place_that_cannot_be_written_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    clock(monkeypatch, {FAST: 0.5})
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("SPEC_MLX_AUTOTUNE_CACHE_PATH", str(tmp_path / "taken" / "autotune.json"))
    tune.forget()
    assert ask() == FAST
    ask("istft", 1024, 256, 1000)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert ask() == FAST


def test_without_persistence_no_file_is_read_or_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, file: Path
) -> None:
    file.parent.mkdir()
    file.write_text("{")
    monkeypatch.setenv("SPEC_MLX_AUTOTUNE_PERSIST", "0")
    tune.forget()
    times = clock(monkeypatch, {FAST: 0.5})
    assert [ask(), ask()] == [FAST, FAST]
    assert not caplog.records
    assert times.looks == 1
    assert file.read_text() == "{"


@pytest.mark.parametrize(("name", "value"), [("SPEC_MLX_AUTOTUNE", "0"), ("SPEC_MLX_TGX", "stft:64")])
def test_nothing_is_looked_for_where_it_is_off_or_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    times = clock(monkeypatch, {FAST: 0.5})
    monkeypatch.setenv(name, value)
    tune.forget()
    assert ask() is None
    assert times.looks == 0


def traced(transformation: Callable[[Any, Any], Any], x: Any) -> list[bool]:
    said: list[bool] = []

    def function(x: Any) -> Any:
        said.append(is_traced(x))
        return mx.square(x)

    mx.eval(transformation(function, x))
    return said


TRANSFORMATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "grad": lambda f, x: mx.grad(lambda x: f(x).sum())(x),
    "vjp": lambda f, x: mx.vjp(f, [x], [x])[1],
    "jvp": lambda f, x: mx.jvp(f, [x], [x])[1],
    "vmap": lambda f, x: mx.vmap(f)(x),
    "compile": lambda f, x: mx.compile(f)(x),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_a_transformation_is_seen(name: str) -> None:
    for shape in ((3,), (3,), (2, 5), (2, 5)):
        assert all(traced(TRANSFORMATIONS[name], mx.ones(shape)))
        assert traced(lambda f, x: f(x), mx.ones(shape)) == [False]


def test_a_transformation_is_seen_in_another_thread() -> None:
    said: list[bool] = []

    def work() -> None:
        said.extend(traced(lambda f, x: f(x), mx.ones(3)))
        said.extend(traced(TRANSFORMATIONS["grad"], mx.ones(3)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert said == [False, True]


@pytest.mark.parametrize("arrays", [lambda x: (x,), lambda x: (mx.ones(3), x)], ids=["audio", "window"])
def test_nothing_is_timed_inside_a_transformation(
    monkeypatch: pytest.MonkeyPatch, arrays: Callable[[Any], tuple[Any, ...]]
) -> None:
    times = clock(monkeypatch, {FAST: 0.5})

    def function(x: Any) -> Any:
        choice = tune.geometry(kind_of(*SIZES), LAUNCHER, arrays(x), lambda _geometry: lambda: x)
        assert choice == tune.Choice(None, settled=False)
        return mx.square(x)

    for transformation in TRANSFORMATIONS.values():
        mx.eval(transformation(function, mx.ones(4)))
    assert times.looks == 0


def test_only_prewarming_tries_what_has_to_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    times = clock(monkeypatch, {Geometry(threads=256): 0.5, FAST: 0.9})
    assert ask() == FAST
    assert {geometry.threads for geometry in times.tried} == {128}
    with tune.compiling():
        assert ask() == Geometry(threads=256)
        assert ask() == Geometry(threads=256)
    assert {geometry.threads for geometry in times.tried} == {64, 128, 256}
    assert times.looks == 2
    assert ask() == Geometry(threads=256)


def test_statistics_tell_what_was_found(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setenv("SPEC_MLX_CACHE_STATS", "1")
    diagnostics.reset_cache_debug_stats()
    clock(monkeypatch, {})
    ask()
    ask()
    stats = diagnostics.get_cache_debug_stats(reset=True)
    assert stats["counts"] == {"autotune_tuned": 1}
    assert stats["autotune"] == {"path": str(file), "size": 1}
    tune.forget()
    ask()
    assert diagnostics.get_cache_debug_stats(reset=True)["counts"] == {"autotune_hit": 1}


class Nothing(MlxLauncher):
    """Leaves the GPU alone, and says what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.launches: list[Launch] = []

    def prepare(self, launch: Launch) -> Any:
        def call(_arrays: list[Any]) -> list[Any]:
            self.launches.append(launch)
            return [mx.zeros(shape) for shape in launch.shapes]

        return call


def test_hop_batch_and_length_compile_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, {})
    launcher, window = Nothing(), mx.zeros(256)
    for rows, length, hop in ((1, 4000, 64), (1, 4000, 32), (8, 4000, 64), (1, 90_000, 64)):
        launcher.run(Stft(Framing(256, hop)), mx.zeros((rows, length)), window)
    assert len({launch.kernel for launch in launcher.launches}) == 1


def test_a_call_is_launched_with_the_geometry_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    times = clock(monkeypatch, {FAST: 0.5})
    launcher, op, x, window = Nothing(), Stft(Framing(256, 64)), mx.zeros((2, 4000)), mx.zeros(256)
    mx.eval(mx.grad(lambda x: mx.abs(launcher.run(op, x, window)).sum() + x.sum())(x))
    assert times.looks == 0
    for _ in range(3):
        launcher.run(op, x, window)
    steps = [launch.scalars["steps"] for launch in launcher.launches]
    assert (steps, times.looks) == ([1, 4, 4, 4], 1)


def test_what_prewarming_finds_serves_other_shapes_of_the_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, {})
    launcher, op, window = Nothing(), Stft(Framing(256, 64)), mx.zeros(256)
    lengths = (4000, 4064)
    for length in lengths:
        launcher.run(op, mx.zeros((1, length)), window)
    clock(monkeypatch, {Geometry(threads=256): 0.5})
    with tune.compiling():
        launcher.run(op, mx.zeros((1, lengths[0])), window)
    for length in lengths:
        launcher.run(op, mx.zeros((1, length)), window)
    assert [launch.kernel.threads > 128 for launch in launcher.launches] == [False, False, True, True, True]


def test_a_call_in_a_gradient_does_not_keep_later_ones_from_being_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    times = clock(monkeypatch, {FAST: 0.5})
    monkeypatch.setattr(backend, "implementations", lambda: ("plain", "gpu"))
    said: list[Geometry | None] = []

    @_replay.recorded()
    def function(x: Any) -> Any:
        said.append(tune.geometry(kind_of(*SIZES), LAUNCHER, [x], lambda _geometry: lambda: x).geometry)
        return mx.square(x)

    x = mx.ones(4)
    mx.eval(mx.grad(lambda x: function(x).sum())(x))
    assert (said, times.looks) == ([None], 0)
    for _ in range(3):
        mx.eval(function(x))
    assert (said[1:], times.looks) == ([FAST] * (len(said) - 1), 1)


def test_prewarming_drops_what_was_recorded_before() -> None:
    transform = SpectralTransform(64, 16)
    vars(transform)["_recorded"] = {"anything": None}
    transform.prewarm_kernels()
    assert not vars(transform).get("_recorded")


def test_timing_takes_the_least_of_some_rounds() -> None:
    x = mx.ones((64, 64))
    times = tune.seconds({Geometry(): lambda: x + 1, FAST: lambda: (x @ x) @ x}, mx.eval)
    assert set(times) == {Geometry(), FAST}
    assert all(value > 0 for value in times.values())


@pytest.mark.parametrize("once", [1e-4, 1e-3, 4e-3, 1e-2, 1.0])
def test_timing_takes_a_few_tens_of_milliseconds(monkeypatch: pytest.MonkeyPatch, once: float) -> None:
    spent = 0.0

    def run() -> Any:
        nonlocal spent
        spent += once
        return mx.zeros(1)

    monkeypatch.setattr("time.perf_counter", lambda: spent)
    runs = {Geometry(): run, **dict.fromkeys(tune._CANDIDATES["istft"], run)}
    times = tune.seconds(runs, mx.eval)
    # calls too long to be compared are two: one that may compile, one that is timed
    assert spent <= tune._LIMIT + 2 * once
    assert set(times) == (set(runs) if once < 5e-3 else {Geometry()})
    with tune.compiling():
        assert len(tune.seconds(runs, mx.eval)) == (len(runs) if once < 0.1 else 1)
