"""Phases for given magnitudes, masks, and frames less their sliding means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torchaudio
from torch import Tensor

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as our_audio

from .check import DEVICE, check, each, near, noise, none, served


def _magnitudes(rows: int, length: int, n_fft: int, hop: int) -> Tensor:
    window = torch.hann_window(n_fft, device=DEVICE)
    return torch.stft(noise(rows, length), n_fft, hop, window=window, return_complex=True).abs()


@check
def phases() -> str:
    ratios, problems = {}, list[str]()
    for n_fft, hop in ((400, 160), (1024, 256)):
        for momentum in (0.0, 0.99):
            levels = _magnitudes(3, 20_001, n_fft, hop)
            options: dict[str, Any] = {"n_iter": 4, "hop_length": hop, "momentum": momentum, "rand_init": False}
            mine, theirs = (
                m.transforms.GriffinLim(n_fft, power=1.0, **options).to(DEVICE)(levels) for m in (our_audio, torchaudio)
            )
            truth = torchaudio.transforms.GriffinLim(n_fft, power=1.0, **options).double().to(DEVICE)(levels.double())
            with each(problems):
                served()
                ratios[f"{n_fft} {momentum}"] = round(near(mine, theirs, truth, f"{n_fft} {momentum}"), 2)
    none(problems)
    return f"times torchaudio's errors: {ratios}"


@check
def phases_are_drawn_alike_and_are_as_near_to_the_magnitudes() -> str:
    levels, found = _magnitudes(2, 40_001, 1024, 256), []
    for m in (our_audio, torchaudio):
        torch.manual_seed(3)
        y = m.transforms.GriffinLim(1024, 32, hop_length=256, power=1.0).to(DEVICE)(levels)
        state = torch.cuda.get_rng_state()
        rebuilt = torch.stft(y, 1024, 256, window=torch.hann_window(1024, device=DEVICE), return_complex=True).abs()
        found.append((float((rebuilt - levels).norm() / levels.norm()), state))
    served()
    (mine, one), (theirs, other) = found
    assert torch.equal(one, other)
    # each is a random walk's end
    assert mine <= 1.02 * theirs, (mine, theirs)
    return f"away from the magnitudes: ours {mine:.4f}, torchaudio's {theirs:.4f}"


@check
def frames_less_their_sliding_means() -> str:
    ratios, problems = {}, list[str]()
    for options in ((600, 100, False, False), (50, 20, True, False), (50, 20, False, True), (600, 100, True, True)):
        x = noise(2, 300, 40) + 3
        mine, theirs, truth = (
            m.transforms.SlidingWindowCmn(*options)(values)
            for m, values in ((our_audio, x), (torchaudio, x), (torchaudio, x.double()))
        )
        with each(problems):
            served()
            ratios[f"{options}"] = round(near(mine, theirs, truth, f"{options}"), 3)
    none(problems)
    return f"times torchaudio's errors: {ratios}"


@check
def masks() -> str:
    x, said = noise(4, 2, 80, 300), set()
    calls: dict[str, Callable[[Any, Tensor], Any]] = {
        "frequencies": lambda m, x: m.transforms.FrequencyMasking(20)(x),
        "time": lambda m, x: m.transforms.TimeMasking(50, p=0.5)(x, 1.5),
        "all": lambda m, x: m.transforms.SpecAugment(3, 50, 2, 10, iid_masks=False, zero_masking=True)(x),
        "each": lambda m, x: m.transforms.SpecAugment(3, 50, 2, 10, iid_masks=True)(x),
        "each, along time": lambda m, x: m.transforms.TimeMasking(50, iid_masks=True, p=0.4)(x, 1.5),
        "each, along frequencies": lambda m, x: m.functional.mask_along_axis_iid(x, 20, -3.0, 2),
        "the mean": lambda m, x: m.transforms.SpecAugment(1, 50, 0, 10, iid_masks=False)(x),
    }
    for name, call in calls.items():
        for values in (x, x.transpose(-1, -2).contiguous().transpose(-1, -2)):
            found = []
            for m in (our_audio, torchaudio):
                torch.manual_seed(5)
                found.append((call(m, values), torch.get_rng_state(), torch.cuda.get_rng_state()))
            (mine, *ours), (theirs, *of_theirs) = found
            assert torch.equal(mine, theirs), name
            assert mine.stride() == theirs.stride(), name
            assert all(map(torch.equal, ours, of_theirs)), name
        said |= {f"{name}: {record.reason}" for record in compat.report() if record.reason}
        compat.reset()
    return "; ".join(sorted(said))
