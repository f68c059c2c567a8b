"""Host kernels among threads, processes, huge arrays and caches."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import mlx_spectro
from mlx_spectro.compat.contract.reasons import BUSY
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import Istft, Stft
from mlx_spectro.kernels import cpu
from mlx_spectro.kernels.cpu.runtime import threads as pool

from .test_cpu import bound, defined_istft, defined_stft, hann, noise, stft_of

if not cpu.available():
    pytest.skip("host kernels need numba", allow_module_level=True)

pytestmark = pytest.mark.slow
POSIX = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@pytest.fixture(autouse=True)
def threads() -> Any:
    yield
    cpu.set_num_threads(None)


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )


def transform(seed: int) -> Any:
    return cpu.run(Stft(Framing(1024, 256, 512, 512)), noise((4, 200_000), seed=seed), hann(1024))


def test_the_number_of_threads_changes_no_bit() -> None:
    cpu.set_num_threads(1)
    alone = transform(0)
    for count in (2, 3, 8):
        cpu.set_num_threads(count)
        assert np.array_equal(transform(0), alone)


def test_what_ends_by_an_error_holds_nothing_of_a_call() -> None:
    x = noise((2, 100))
    held = weakref.ref(x)

    def work(_: int, x: Any = x) -> None:
        raise TimeoutError

    gc.disable()
    try:
        with contextlib.suppress(TimeoutError):
            pool.Pool().run(work, 2, 2, x)
        del work, x
        assert held() is None
    finally:
        gc.enable()


def test_eight_callers_at_once_get_what_one_gets() -> None:
    expected = [transform(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for found, one in zip(pool.map(transform, range(8)), expected, strict=True):
                assert np.array_equal(found, one)


def test_what_says_how_many_threads_there_are() -> None:
    ask = "from mlx_spectro import get_num_threads; print(get_num_threads())"
    assert python(ask, OMP_NUM_THREADS="3").stdout.strip() == "3"
    assert python(ask, OMP_NUM_THREADS="").stdout.strip() == str(len(os.sched_getaffinity(0)))
    mlx_spectro.set_num_threads(5)
    assert mlx_spectro.get_num_threads() == 5
    with pytest.raises(ValueError, match="at least 1, got 0"):
        mlx_spectro.set_num_threads(0)


@POSIX
def test_a_forked_child_computes_and_so_does_its_parent() -> None:
    code = (
        "import os, sys, numpy as np\n"
        "from mlx_spectro.design.framing import Framing\n"
        "from mlx_spectro.design.operators import Stft\n"
        "from mlx_spectro.kernels import cpu\n"
        "cpu.set_num_threads(4)\n"
        "x, w, op = np.ones((8, 200_000), np.float32), np.ones(1024, np.float32), Stft(Framing(1024, 256))\n"
        "before = cpu.run(op, x, w)\n"
        "children = []\n"
        "for _ in range(3):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        os._exit(0 if np.array_equal(cpu.run(op, x, w), before) else 1)\n"
        "    children.append(child)\n"
        "assert all(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 for child in children)\n"
        "assert np.array_equal(cpu.run(op, x, w), before)\n"
        "print('done')\n"
    )
    done = python(code)
    assert done.stdout == "done\n", done.stderr


def test_a_process_ends_while_a_thread_computes() -> None:
    code = (
        "import threading, numpy as np\n"
        "from mlx_spectro.design.framing import Framing\n"
        "from mlx_spectro.design.operators import Stft\n"
        "from mlx_spectro.kernels import cpu\n"
        "x, w = np.ones((8, 400_000), np.float32), np.ones(1024, np.float32)\n"
        "def forever():\n"
        "    while True: cpu.run(Stft(Framing(1024, 64)), x, w)\n"
        "cpu.run(Stft(Framing(1024, 256)), x, w)\n"
        "threading.Thread(target=forever, daemon=True).start()\n"
        "print('done')\n"
    )
    done = python(code)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_the_caller_s_floating_point_state_is_left_alone() -> None:
    tiny = np.full(4, 1e-40, np.float32)
    expected = tiny * np.float32(0.5)
    assert expected.all()
    found = []

    def check() -> None:
        transform(1)
        found.append(np.array_equal(tiny * np.float32(0.5), expected))

    check()
    caller = threading.Thread(target=check)
    caller.start()
    caller.join()
    assert found == [True, True]


def test_denormal_audio_counts_as_silence_which_is_why_it_costs_no_time() -> None:
    quiet = noise((4, 20_000)) * np.float32(1e-39)
    assert 0 < np.abs(quiet).max() < np.finfo(np.float32).tiny
    # a sum of a thousand samples is a normal number, unless each is taken as zero
    assert np.abs(np.fft.rfft(quiet[0, :1024].astype(np.float64))).max() > np.finfo(np.float32).tiny
    assert not cpu.run(Stft(Framing(1024, 256)), quiet, hann(1024)).any()


def test_addresses_beyond_two_to_the_31_samples(tmp_path: Path) -> None:
    n_fft, hop = 1024, 1 << 24
    length = (1 << 31) + 5 * n_fft
    # a file with holes: only what is written takes room
    x = np.asarray(np.memmap(tmp_path / "audio", np.float32, "w+", shape=(length,)))
    frames = 1 + (length - n_fft) // hop
    for frame in (0, frames // 2, frames - 1):
        x[frame * hop : frame * hop + n_fft] = noise((n_fft,), seed=frame)
    window = hann(n_fft)
    z = cpu.run(Stft(Framing(n_fft, hop)), x, window)
    assert z.shape == (frames, n_fft // 2 + 1)
    for frame in (0, frames // 2, frames - 1):
        truth = np.fft.rfft(noise((n_fft,), seed=frame).astype(np.float64) * window)
        assert np.abs(z[frame] - truth).max() <= bound(np.float32, n_fft) * np.abs(truth).max()
    assert not z[1].any()


class FirstCall(NamedTuple):
    """What a process's first transform did for its kernel."""

    compiled: int
    loaded: int
    said: str


def first_call(folder: Path, **environment: str) -> FirstCall:
    code = (
        "import logging, sys, numpy as np\n"
        "logging.basicConfig(level=logging.INFO, stream=sys.stderr)\n"
        "from mlx_spectro.design.framing import Framing\n"
        "from mlx_spectro.design.operators import Stft\n"
        "from mlx_spectro.kernels import cpu\n"
        "cpu.run(Stft(Framing(400, 160)), np.ones((2, 20_000), np.float32), np.ones(400, np.float32))\n"
        "from mlx_spectro.kernels.cpu.analysis import complex_frames\n"
        "print(*(sum(found.values()) for found in complex_frames.stats[1:]))\n"
    )
    done = python(code, XDG_CACHE_HOME=str(folder), **environment)
    assert done.returncode == 0, done.stderr
    loaded, compiled = map(int, done.stdout.split())
    return FirstCall(compiled, loaded, done.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="where caches lie is told otherwise")
def test_two_processes_that_compile_at_once_both_work_and_the_next_compiles_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        calls = list(pool.map(first_call, [tmp_path] * 2))
    for call in calls:
        assert call.compiled + call.loaded == 1
        assert call.said.count("compiling host kernels") == call.compiled
    assert first_call(tmp_path) == FirstCall(compiled=0, loaded=1, said="")


@pytest.mark.skipif(sys.platform != "linux", reason="where caches lie is told otherwise")
def test_a_folder_that_is_not_ours_alone_to_write_to_is_not_used(tmp_path: Path) -> None:
    from mlx_spectro.kernels.cpu.runtime import compile

    folder = tmp_path / "mlx-spectro" / "host-kernels" / compile._key()
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    call = first_call(tmp_path)
    assert "not ours alone to write to" in call.said
    assert not list(folder.iterdir())


# how often a forked child loads or compiles a kernel for its first call, of what the parent prepared
IN_A_CHILD = """
import os, sys
PARENT
def counting(self, *arguments):
    loads.append(self)
    return load(self, *arguments)
child = os.fork()
if not child:
    loaded = "mlx_spectro.kernels.cpu.runtime.compile" in sys.modules
    from mlx_spectro.kernels.cpu.runtime.compile import _Cache
    loads, load = [], _Cache.load_overload
    _Cache.load_overload = counting
    CALL
    print(loaded, len(loads), flush=True)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
TORCHAUDIO = (
    "import torch\n"
    "from mlx_spectro.compat import torchaudio\n"
    "torch.set_num_threads(1)\n"  # torch's own do not survive a fork
    "mel = torchaudio.transforms.MelSpectrogram(16000, 400, n_mels=40)\n"
)
LIBROSA = "import numpy as np\nfrom mlx_spectro.compat import librosa\n"
INSTALLED = "from mlx_spectro import compat\ncompat.install('torch')\nimport torch\n"
CHILDREN = {
    "a transform of torchaudio": (TORCHAUDIO, "mel(torch.ones(1, 9000))"),
    "torch": ("from mlx_spectro.compat import torch\n", "torch.stft(torch.ones(900), 64, return_complex=True)"),
    "librosa": (LIBROSA, "librosa.feature.mfcc(y=np.ones(9000, np.float32), n_mels=40)"),
}


def in_a_child(parent: str, call: str) -> str:
    done = python(IN_A_CHILD.replace("PARENT\n", parent).replace("CALL", call), MLX_SPECTRO_ROUTE="ours")
    assert done.returncode == 0, done.stderr
    return done.stdout


@POSIX
@pytest.mark.parametrize("name", CHILDREN)
def test_a_forked_child_finds_kernels_in_memory_that_its_parent_never_called(name: str) -> None:
    pytest.importorskip(name.rpartition(" ")[2])
    parent, call = CHILDREN[name]
    # so that they are kept on this machine
    python(parent + call, MLX_SPECTRO_ROUTE="ours")
    assert in_a_child(parent, call) == "True 0\n"


@POSIX
def test_a_program_that_does_not_ask_for_transforms_forks_as_ever() -> None:
    pytest.importorskip("torch")
    assert in_a_child(INSTALLED, "pass") == "False 0\n"
    assert in_a_child("from mlx_spectro import compat\n", "pass") == "False 0\n"


@POSIX
def test_nothing_is_loaded_for_children_where_nothing_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("torchaudio")
    code = (
        f"{TORCHAUDIO}"
        "import os, sys\n"
        "child = os.fork()\n"
        "if not child: os._exit('numba' in sys.modules)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert python(code, XDG_CACHE_HOME=str(tmp_path)).stdout == "0\n"


@POSIX
def test_a_child_forked_while_a_thread_compiles_has_the_reference_serve(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    code = (
        "import os, threading, torch\n"
        "from mlx_spectro import compat\n"
        "from mlx_spectro.compat import torch as ours\n"
        "from mlx_spectro.kernels.cpu.runtime import loading\n"
        "compat.route('ours')\n"
        "torch.set_num_threads(1)\n"  # torch's own do not survive a fork
        "x = torch.randn(500)\n"
        "def call(): return ours.stft(x, 64, window=torch.ones(64), return_complex=True)\n"
        "expected = torch.stft(x, 64, window=torch.ones(64), return_complex=True)\n"
        "threading.Thread(target=call, daemon=True).start()\n"
        "while not loading._threads: pass\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    assert torch.equal(call(), expected)\n"
        "    print(*(record.reason for record in compat.report() if record.reason), flush=True)\n"
        "    os._exit(0)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)\n"
        "os._exit(0)\n"
    )
    done = python(code, XDG_CACHE_HOME=str(tmp_path))
    assert done.stdout == f"{BUSY}\n0\n", done.stderr


def test_two_thousand_random_calls_from_eight_threads() -> None:
    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(250):
            n_fft = int(rng.choice([16, 30, 64, 100, 127, 128, 200, 256, 385, 512, 1000, 2048]))
            hop, rows = int(rng.integers(1, n_fft + 9)), int(rng.integers(1, 4))
            length = n_fft + int(rng.integers(0, 6 * n_fft))
            mode = str(rng.choice(["constant", "reflect", "replicate", "circular"]))
            left = int(rng.integers(0, n_fft // 2 + 1))
            dtype = (np.float32, np.float64)[rng.integers(2)]
            x = rng.standard_normal((rows, length)).astype(dtype)
            # never near 0, so that no sample is divided by next to nothing
            window = hann(n_fft, dtype) + dtype(0.5)
            options: dict[str, Any] = {"hop_length": hop, "left": left, "right": n_fft // 2, "pad_mode": mode}
            z = cpu.run(stft_of(window, options), x, window)
            truth = defined_stft(x, window, {**options, "scale": 1.0, "onesided": True})
            assert np.abs(z - truth).max() <= bound(dtype, n_fft) * np.abs(truth).max()
            y = cpu.run(Istft(Framing(n_fft, hop, left), length), z, window)
            back = defined_istft(z, window, hop, left, length, 1.0)
            assert np.abs(y - back).max() <= bound(dtype, n_fft, 2) * np.abs(back).max()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_functions_are_not_called_like_modules_which_take_their_place_when_they_are_loaded() -> None:
    modules = {path.stem for path in Path(cpu.__file__).parent.glob("*.py")}
    assert modules.isdisjoint(cpu.__all__)
