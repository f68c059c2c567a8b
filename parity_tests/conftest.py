"""Fixtures for every test."""

from __future__ import annotations

import os
import sys

# TF32 would cost a float32 matrix product on CUDA half its digits; MLX reads this when it is imported, see
# https://github.com/ml-explore/mlx/issues/3860
os.environ.setdefault("MLX_ENABLE_TF32", "0")
# an exception of our own is to be seen here, in the processes that tests start too
os.environ.setdefault("MLX_SPECTRO_ON_FAULT", "raise")
# and what serves a call is not to depend on what was compiled before
os.environ.setdefault("MLX_SPECTRO_COMPILATION", "blocking")

# numba's cached ufuncs, librosa's among them, crash for ever once two processes have compiled one at the same time
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("NUMBA_CACHE_DIR", os.path.join(sys.prefix, "numba-cache", os.environ["PYTEST_XDIST_WORKER"]))

from collections.abc import Iterator

import pytest

from mlx_spectro import compat
from mlx_spectro.compat.contract.adapter import adapters
from mlx_spectro.kernels.gpu import tune
from mlx_spectro.ops import backend


@pytest.fixture(autouse=True)
def fresh_records() -> Iterator[None]:
    """Every test starts with no records or plans, default settings and unpatched libraries, and leaves them so."""
    compat.reset()
    for adapter in adapters.values():
        adapter.function.forget()
    yield
    compat.uninstall()
    compat.reset()


@pytest.fixture
def ours() -> Iterator[None]:
    """We serve every call that we can."""
    with compat.route("ours"):
        yield


@pytest.fixture
def untuned(monkeypatch: pytest.MonkeyPatch) -> None:
    """No launch geometry is timed."""
    monkeypatch.setattr(tune, "enabled", lambda: False)


@pytest.fixture
def same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every generator of random numbers without a seed draws the same ones."""
    import numpy as np

    seeded = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed=None: seeded(5 if seed is None else seed))


@pytest.fixture(params=backend.implementations())
def implementation(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each implementation present, in turn."""
    with backend.implementation(request.param):
        yield request.param
