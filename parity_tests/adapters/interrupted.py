"""A process of its own for calls in the midst of calls, which must neither crash nor hang."""

from __future__ import annotations

import os
import subprocess
import sys


def python(code: str) -> str:
    """What a process that must neither crash nor hang prints."""
    # freed memory goes back to the system, where touching it ends the process
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "PYTHONFAULTHANDLER": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


SETUP = """
import gc, os, random, signal, sys, threading, time
import numpy as np
import numpy.fft  # which NumPy imports late, and no handler can
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import Stft
from mlx_spectro.kernels import cpu
from mlx_spectro.kernels.cpu.runtime import threads

def noise(length, seed=0):
    return np.random.default_rng(seed).standard_normal((1, length)).astype(np.float32)

def windows(n):
    return np.hanning(n + 1)[:n].astype(np.float32)

X = noise(6000)
def stft(n_fft):
    return cpu.run(Stft(Framing(n_fft, n_fft // 4, n_fft // 2, n_fft // 2)), X, windows(n_fft))

def truth(n_fft):
    padded = np.pad(X[0].astype(float), n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[:: n_fft // 4]
    return np.fft.rfft(frames * windows(n_fft))[None]

def right(z, n_fft):
    t = truth(n_fft)
    return z.shape == t.shape and np.abs(z - t).max() < 1e-5 * np.abs(t).max()
"""
