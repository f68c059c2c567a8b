"""Kaldi's features by host kernels against what they are, in double precision."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from mlx_spectro.design.kaldi import Extraction, kaldi_framing
from mlx_spectro.design.operators import KaldiFilterbank, KaldiSpectrogram
from mlx_spectro.kernels import cpu

from ..table.case import pairwise
from .kernel_host import speech
from .test_cpu import bound, close, hann, noise

SPEECH = list(
    pairwise(
        # powers of two, others with a plan, without one, and too short for one
        sizes=((400, 512), (60, 64), (150, 150), (202, 202), (10, 16), (512, 512)),
        shift=(0.4, 0.75, 1.6),
        snip_edges=(True, False),
        remove_mean=(True, False),
        preemphasis=(0.97, 0.0),
        raw_energy=(True, False),
        least=(0.0, -math.inf),
        bank=(0, 1, 13),
        power=(1, 2),
        logarithmic=(True, False),
        energy=("", "first", "last"),
        dtype=(np.float32, np.float64),
        precise=(False, True),
        shape=((), (1,), (3,), (2, 2)),
        length=(1, 4, 30),
    )
)


@pytest.mark.parametrize("o", SPEECH, ids=str)
def test_kaldi_s_features_are_their_definitions(o: dict[str, Any]) -> None:
    (size, n_fft), dtype, precise = o["sizes"], o["dtype"], o["precise"]
    framing = kaldi_framing(size, int(o["shift"] * size), o["snip_edges"])
    how = Extraction(framing, n_fft, o["remove_mean"], o["preemphasis"], o["raw_energy"], o["least"])
    x, window = 100 * noise((*o["shape"], size * (1 + o["length"])), dtype), hann(size)
    op: KaldiSpectrogram = KaldiSpectrogram(how)
    weights: tuple[Any, ...] = (window,)
    if o["bank"]:
        op = KaldiFilterbank(how, o["power"], o["logarithmic"], o["energy"])
        weights += (np.abs(noise((n_fft // 2 + 1, o["bank"]), np.float64, seed=5)),)
    truth = speech.features(op, x, *weights)
    assert op.shape(x.shape, *(weight.shape for weight in weights)) == truth.shape
    # relative to the largest value; of logarithms, that of a magnitude 40 dB below the largest
    logarithms = not o["bank"] or o["logarithmic"]
    limit = bound(dtype, n_fft, 2) * (100 if logarithms else 1)
    close(cpu.run(op, x, *weights, precise=precise), truth, limit)
    values_first = np.empty((*truth.shape[:-2], truth.shape[-1], truth.shape[-2]), dtype).swapaxes(-1, -2)
    around = np.full((*truth.shape[:-1], truth.shape[-1] + 2), 7, dtype)
    for out in (np.empty(truth.shape, dtype), values_first, around[..., 1:-1]):
        assert cpu.run(op, x, *weights, precise=precise, out=out) is out
        close(out, truth, limit)
    assert (around[..., [0, -1]] == 7).all()


def test_speech_of_any_strides_is_read_where_it_lies_and_frames_do_not_depend_on_each_other() -> None:
    op, window = KaldiSpectrogram(Extraction(kaldi_framing(60, 25, True), 64)), hann(60)
    x = noise((4, 3000))
    whole = cpu.run(op, x, window)
    for view in (x[:, ::2], x[::2, ::-1], x.T.copy().T, np.broadcast_to(x[:1], (3, 3000))):
        assert np.array_equal(cpu.run(op, view, window), cpu.run(op, view.copy(), window))
    for row, frame in itertools.product(range(4), (0, 1, 7, 117)):
        single = cpu.run(op, x[row, 25 * frame : 25 * frame + 60], window)
        assert np.array_equal(single[0], whole[row, frame])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("remove_mean", [True, False])
def test_what_is_not_finite_spoils_the_frames_of_speech_that_hold_it(bad: float, remove_mean: bool) -> None:
    op = KaldiFilterbank(Extraction(kaldi_framing(60, 25, True), 64, remove_mean), energy="first")
    x, bank = noise((1, 3000)), np.abs(noise((33, 5)))
    x[0, 2000] = bad
    y = cpu.run(op, x, hann(60), bank)[0]
    held = np.array([25 * frame <= 2000 < 25 * frame + 60 for frame in range(len(y))])
    assert held.any()
    assert np.array_equal(~np.isfinite(y).any(axis=-1), held)
    assert np.array_equal(~np.isfinite(y).all(axis=-1), held)


def test_of_silence_and_of_a_constant_nothing_is_left() -> None:
    op, least = KaldiSpectrogram(Extraction(kaldi_framing(400, 160, True), 512, least=-3.0)), np.log(2.0**-23)
    for level in (0.0, 1.0, 16384.0):
        y = cpu.run(op, np.full(2000, level, np.float32), hann(400))
        assert (y[:, 0] == -3.0).all()
        assert np.abs(y[:, 1:] - least).max() <= 2 * np.spacing(np.float32(16))
