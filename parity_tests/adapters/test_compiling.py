"""Programs that do not wait for host kernels: the reference serves until they are compiled, in another thread."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from mlx_spectro import compat
from mlx_spectro.compat import dispatch
from mlx_spectro.compat.contract import inside, reasons
from mlx_spectro.kernels import cpu
from mlx_spectro.kernels.cpu.runtime import background

if not cpu.available():
    pytest.skip("host kernels need numba", allow_module_level=True)
torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="where caches lie is told otherwise"),
]

SETUP = """
import os, sys, time
import torch
from mlx_spectro import compat
from mlx_spectro.compat import dispatch
from mlx_spectro.compat import torch as ours

torch.set_num_threads(1)  # whose OpenMP does not survive a fork
X, WINDOW = torch.linspace(-1, 1, 40000).sin()[None], torch.hann_window(512)

def both():
    options = dict(n_fft=512, window=WINDOW, return_complex=True)
    return ours.stft(X, **options), torch.stft(X, **options)

def until_ours(seconds=120):
    # whether ours serves the call before that
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        compat.reset()
        both()
        if not compat.report()[0].reason:
            return True
        time.sleep(0.02)
    return False
"""


def run(cache: Path, code: str, compilation: str = "background") -> str:
    """What a process prints that finds compiled kernels in ``cache`` alone."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "MLX_SPECTRO_COMPILATION": compilation}
    program = [sys.executable, "-c", SETUP + textwrap.dedent(code)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_torch_serves_to_the_bit_until_kernels_are_compiled_and_later_processes_load_them(tmp_path: Path) -> None:
    code = """
        mine, theirs = both()
        assert torch.equal(mine, theirs)
        print([record.reason for record in compat.report()], until_ours())
    """
    assert run(tmp_path, code) == f"[{str(reasons.COMPILING)!r}] True\n"
    code = """
        both()
        print([record.reason for record in compat.report()])
    """
    assert run(tmp_path, code) == "['']\n"
    # a call that threads share: none takes another that loads a kernel for one that compiles
    assert run(tmp_path, "torch.set_num_threads(4)\nX = X.repeat(8, 4)\n" + textwrap.dedent(code)) == "['']\n"


@pytest.mark.parametrize(
    ("setting", "value"),
    [("compilation", "blocking"), ("route", "ours"), ("numerics", "verify"), ("on_fallback", "raise")],
)
def test_calls_wait_where_ours_is_asked_for(setting: str, value: str) -> None:
    assert background.can_do_without is dispatch._can_do_without_kernels
    for at_work in (False, True):
        outside = inside.inside.set(inside.OURS if at_work else "")
        try:
            with compat.compilation("background"):
                assert background.without() is at_work
                with getattr(compat, setting)(value):
                    assert not background.without()
                inside.bind()
                assert not background.without()
        finally:
            inside.inside.reset(outside)


def test_a_process_ends_and_forks_while_kernels_are_compiled(tmp_path: Path) -> None:
    code = """
        both()
        child = os.fork()
        if not child:
            os._exit(0 if until_ours() else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        # another kernel, in whose midst it ends
        ours.istft(both()[1], 512, window=WINDOW)
    """
    assert run(tmp_path, code) == "0\n"


# every call is begun, and then left to the reference for a kernel that is never there
OF_ROWS = """
import itertools, warnings
import numpy as np
from mlx_spectro.compat.contract.inside import is_bound, serving
from mlx_spectro.compat.contract.reasons import COMPILING
from mlx_spectro.kernels.cpu.runtime import background, compile
from parity_tests.table import measure
from parity_tests.table.cases import table

compile._is_put_off = lambda *_: True
background.can_do_without = lambda: serving() and not is_bound()

def outcome(function, kind, sample):
    torch.manual_seed(5)
    np.random.seed(5)
    arrays = measure.to_library(kind, sample.args), measure.to_library(kind, sample.kwargs)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        result = measure.flat(function(*arrays[0], **arrays[1]))
    state = torch.get_rng_state(), torch.tensor(np.random.get_state()[1].astype(np.int64))
    return result, sorted((w.category.__name__, str(w.message)) for w in said), state

def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()

left = set()
for row in table():
    if row.native or row.missing():
        continue
    mine, theirs = row.resolve()
    for sample in itertools.islice(row.samples(), 2):
        compat.reset()
        with compat.route("ours"):
            results, said, states = outcome(mine, row.our_arrays, sample)
        if COMPILING not in {record.reason for record in compat.report()}:
            continue
        left.add(row.name)
        expected, theirs_said, their_states = outcome(theirs, row.their_arrays, sample)
        if not (len(results) == len(expected) and all(map(same, results, expected))):
            print(row.name, sample.label, "values")
        if said != theirs_said:
            print(row.name, sample.label, said, theirs_said)
        if not all(map(torch.equal, states, their_states)):
            print(row.name, sample.label, "random numbers")
print(len(left) > 60)
"""


def test_a_call_that_is_left_for_its_kernels_leaves_no_trace(tmp_path: Path) -> None:
    assert run(tmp_path, OF_ROWS) == "True\n"


class Kernel:
    """Is compiled when a test says so."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.goes_on, self.signatures = threading.Event(), threading.Event(), list[Any]()
        self.error = error

    def compile(self, signature: Any) -> None:
        self.begun.set()
        assert self.goes_on.wait(60)
        self.signatures.append(signature)
        if self.error is not None:
            raise self.error


def test_kernels_are_compiled_one_after_another_and_each_once() -> None:
    compiler, first, second = background._Compiler(), Kernel(), Kernel()
    assert compiler.begin(first, "a")
    assert first.begun.wait(60)
    assert compiler.turn.locked()
    for _ in range(2):
        assert compiler.begin(first, "a")
        assert compiler.begin(second, "b")
    assert not second.begun.is_set()
    second.goes_on.set()
    first.goes_on.set()
    assert compiler._thread is not None
    compiler._thread.join(60)
    assert (first.signatures, second.signatures) == (["a"], ["b"])
    assert not compiler.turn.locked()


def test_an_error_of_the_compiler_is_for_the_next_call_to_hear() -> None:
    compiler, kernel = background._Compiler(), Kernel(ValueError("cannot be compiled"))
    kernel.goes_on.set()
    assert compiler.begin(kernel, "a")
    assert compiler._thread is not None
    compiler._thread.join(60)
    assert not compiler.begin(kernel, "a")
    assert compiler.begin(kernel, "b")
    compiler._thread.join(60)


def test_the_helpers_of_a_call_can_do_without_kernels_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlx_spectro.kernels.cpu.runtime.threads import Pool

    pool, answers = Pool(), list[bool]()
    for can in (True, False):
        monkeypatch.setattr(background, "can_do_without", lambda can=can: can)
        both = threading.Barrier(2, timeout=60)

        def work(part: int, both: threading.Barrier = both) -> None:
            both.wait()
            answers.append(background.without())

        pool.run(work, 2, 2)
    assert answers == [True, True, False, False]
