"""The demo's figures."""

from __future__ import annotations

import pytest

for library in ("torchaudio", "soundfile", "matplotlib"):
    pytest.importorskip(library)

import torch
from torchaudio import transforms

from benchmarks import demo
from benchmarks.programs import features
from mlx_spectro import compat


def test_the_program_runs_by_torch_and_by_us_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SECONDS", 0.0)
    stft, forward = torch.stft, transforms.MFCC.forward
    made = features.Features(8000)
    x = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    by = []

    def work() -> None:
        by.append(torch.stft is not stft and compat.numerics())
        made(x)

    found = demo.in_turn(work)
    assert by == ["strict", "fast"] * (1 + demo.FEW)
    assert [len(passes) for passes in found.values()] == [demo.FEW] * 2
    assert all(0 < one.inside <= one.whole for passes in found.values() for one in passes)
    assert torch.stft is stft
    assert transforms.MFCC.forward is forward


def test_it_says_slower_where_we_are_slower() -> None:
    quick, slow = demo.Pass(0.002, 0.001), demo.Pass(0.008, 0.004)
    assert demo.compared({"strict": [slow] * 3, "fast": [quick] * 3}, "inside") == "4.0 times faster (4.0 ms -> 1.0 ms)"
    assert demo.compared({"strict": [quick] * 3, "fast": [slow] * 3}, "whole") == "4.0 times slower (2.0 ms -> 8.0 ms)"


def test_there_are_recordings_to_transform() -> None:
    assert len(list(demo.AUDIO.glob("*.flac"))) > 1
