"""Audio at another rate, recursive filters and stretched spectra: values, gradients, what is not finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torchaudio
import torchaudio.compliance.kaldi as kaldi
from torch import Tensor

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as our_audio
from mlx_spectro.compat.torchaudio.compliance import kaldi as our_kaldi

from .check import DEVICE, check, each, near, noise, none, served

Call = Callable[[Any, Tensor], Tensor]


def _coefficients(x: Tensor, *numbers: Any) -> list[Tensor]:
    return [torch.tensor(each, dtype=x.dtype, device=x.device) for each in numbers]


_BIQUAD = [1.0, -1.9, 0.95], [0.1, 0.2, 0.1]
_FOUR = [1.0, -2.1, 1.9, -0.9, 0.2], [0.1, 0.2, 0.3, 0.2, 0.1]
_SEVERAL = [[1.0, -0.9], [2.0, 0.5], [1.0, 0.3]], [[0.5, 0.2], [1.0, -1.0], [0.3, 0.0]]
FILTERS: dict[str, Call] = {
    "biquad": lambda m, x: m.functional.lfilter(x, *_coefficients(x, *_BIQUAD)),
    "biquad without clamping": lambda m, x: m.functional.lfilter(x, *_coefficients(x, *_BIQUAD), clamp=False),
    "four poles": lambda m, x: m.functional.lfilter(x, *_coefficients(x, *_FOUR), clamp=False),
    "a filter a channel": lambda m, x: m.functional.lfilter(x, *_coefficients(x, *_SEVERAL), clamp=False),
    "several filters": lambda m, x: m.functional.lfilter(x, *_coefficients(x, *_SEVERAL), batching=False),
    "filtfilt": lambda m, x: m.functional.filtfilt(x, *_coefficients(x, *_BIQUAD), clamp=False),
    "highpass": lambda m, x: m.functional.highpass_biquad(x, 16000, 80.0),
    "lowpass": lambda m, x: m.functional.lowpass_biquad(x, 16000, 1000.0),
    "equalizer": lambda m, x: m.functional.equalizer_biquad(x, 16000, 300.0, 3.0),
    "deemphasis": lambda m, x: m.functional.deemphasis(x),
}
SPEECH: dict[str, Call] = {
    "fbank": lambda m, x: m.fbank(x, num_mel_bins=80),
    "fbank of magnitudes": lambda m, x: m.fbank(x, use_power=False, snip_edges=False),
    "fbank without its mean": lambda m, x: m.fbank(x, channel=1, subtract_mean=True, use_log_fbank=False),
    "MFCC": lambda m, x: m.mfcc(x),
    "fbank and energies": lambda m, x: m.fbank(x, use_energy=True, raw_energy=False, htk_compat=True),
    "MFCC and energies": lambda m, x: m.mfcc(x, use_energy=True),
    "spectrogram": lambda m, x: m.spectrogram(x, snip_edges=False),
}
RATES = ((16000, 22050), (44100, 16000), (48000, 16000), (16000, 48000), (16000, 16001), (1, 100), (12699, 16000))


def _compared(call: Call, x: Tensor, what: str) -> float:
    """Ours beside torchaudio's and the truth: the result, and its gradient."""
    found = []
    for library, signal in ((our_audio, x), (torchaudio, x), (torchaudio, x.double())):
        at = signal.clone().requires_grad_()
        y = call(library, at)
        # values where none is the gradient of a clamped result by accident
        (gradient,) = torch.autograd.grad(y, at, torch.sin(y.detach()) + 1)
        found.append((y.detach(), gradient))
        if library is our_audio:
            alone = call(library, signal)
            served()
            assert torch.equal(alone, found[0][0]), what
            assert alone.stride() == found[0][0].stride(), what
    (mine, of_mine), (theirs, of_theirs), (truth, of_truth) = found
    return max(near(mine, theirs, truth, what), near(of_mine, of_theirs, of_truth, f"{what}, gradient"))


@check
def recursive_filters() -> str:
    ratios, problems = {}, list[str]()
    for name, call in FILTERS.items():
        with each(problems):
            ratios[name] = round(
                max(_compared(call, 0.1 * noise(2, 3, n), f"{name} {n}") for n in (33, 9001, 70_001)), 2
            )
    none(problems)
    return f"times torchaudio's errors: {ratios}"


@check
def a_long_signal_is_filtered() -> None:
    x = 0.1 * noise(1, 600_000)
    mine, theirs, truth = (
        m.functional.highpass_biquad(each, 48000, 20.0)
        for m, each in ((our_audio, x), (torchaudio, x), (torchaudio, x.double()))
    )
    served()
    near(mine, theirs, truth, "20 Hz")


@check
def what_is_not_finite_is_so_in_torchaudio() -> None:
    problems = list[str]()
    for bad in (float("nan"), float("inf")):
        for name, call in FILTERS.items():
            x = 0.1 * noise(2, 3, 9001)
            x[1, 1, 4000] = bad
            mine, theirs = (call(m, x).isfinite() for m in (our_audio, torchaudio))
            with each(problems):
                assert torch.equal(mine, theirs), (name, bad, int((mine != theirs).sum()))
        for rates in RATES[:5]:
            x = noise(2, 9001)
            x[1, 4000] = bad
            mine, theirs = (m.functional.resample(x, *rates).isfinite() for m in (our_audio, torchaudio))
            with each(problems):
                assert torch.equal(mine, theirs), (rates, bad, int((mine != theirs).sum()))
    none(problems)


@check
def audio_at_another_rate() -> str:
    ratios, problems = {}, list[str]()
    for rates in RATES:
        for kind in ("function", "transform"):

            def call(m: Any, x: Tensor, rates: Any = rates, kind: str = kind) -> Tensor:
                if kind == "function":
                    return m.functional.resample(x, *rates)  # type: ignore[no-any-return]
                return m.transforms.Resample(*rates).to(x.device, x.dtype)(x)  # type: ignore[no-any-return]

            lengths = (50,) if rates == (1, 100) else (999, 40_001)
            with each(problems):
                ratios[f"{rates} {kind}"] = round(max(_compared(call, noise(2, 3, n), f"{rates}") for n in lengths), 2)
    none(problems)
    return f"times torchaudio's errors: {ratios}"


@check
def stretched_spectra() -> str:
    ratios = {}
    for rate in (0.5, 0.75, 1.25, 3.0):  # which float32 holds, so that float64 looks at the same frames
        for n in (1001, 60_001):
            z = torch.stft(noise(3, n), 512, 128, window=torch.hann_window(512, device=DEVICE), return_complex=True)
            for spectrum in (z, z.contiguous()):
                mine, theirs = (
                    m.transforms.TimeStretch(128, 257, rate).to(DEVICE)(spectrum) for m in (our_audio, torchaudio)
                )
                served()
                truth = (
                    torchaudio.transforms.TimeStretch(128, 257, rate).double().to(DEVICE)(spectrum.to(torch.complex128))
                )
                ratios[f"{rate} {n}"] = round(near(mine, theirs, truth, f"{rate} {n}"), 4)
    return f"times torchaudio's errors: {ratios}"


@check
def features_of_speech() -> str:
    ratios, problems = {}, list[str]()
    for name, call in SPEECH.items():
        for length in (20_001, 40_001):
            x = 1000 * noise(2, length)
            mine, theirs, truth = (call(m, signal) for m, signal in ((our_kaldi, x), (kaldi, x), (kaldi, x.double())))
            with each(problems):
                served()
                ratios[f"{name} {length}"] = round(near(mine, theirs, truth, f"{name} {length}"), 2)
    none(problems)
    return f"times torchaudio's errors: {ratios}"


@check
def convolutions() -> str:
    ratios, problems = {}, list[str]()
    for taps in (1, 16, 255, 1024):
        for mode in ("full", "valid", "same"):
            y = noise(1, 3, taps, seed=1)
            call: Call = lambda m, x, y=y, mode=mode: m.functional.convolve(x, y.to(x.dtype), mode)  # type: ignore[misc]  # noqa: E731
            with each(problems):
                ratios[f"{taps} {mode}"] = round(_compared(call, noise(2, 3, 20_001), f"{taps} {mode}"), 2)
    none(problems)
    x, y = noise(2, 9001), noise(2, 20)
    x[1, 4000] = float("inf")
    mine, theirs = (m.functional.convolve(x, y).isfinite() for m in (our_audio, torchaudio))
    assert torch.equal(mine, theirs), int((mine != theirs).sum())
    x[1, 4000], y[0, 7] = 0.0, float("inf")
    mine, theirs = (m.functional.convolve(x, y).isfinite() for m in (our_audio, torchaudio))
    differ = int((mine != theirs).sum())
    return f"times torchaudio's errors: {ratios}; of an infinite weight, {differ} results are finite in one alone"


@check
def gradients_of_taps() -> str:
    ratios, problems = {}, list[str]()
    for taps in (1, 16, 255, 1024):
        for length in (700, 20_001):
            found = []
            for m, dtype in ((our_audio, torch.float32), (torchaudio, torch.float32), (torchaudio, torch.float64)):
                x, y = noise(2, 3, length).to(dtype), noise(1, 3, taps, seed=1).to(dtype).requires_grad_()
                z = m.functional.convolve(x, y)
                found.append(torch.autograd.grad(z, y, torch.sin(z.detach()) + 1)[0])
                if m is our_audio:
                    served()
            with each(problems):
                mine, theirs, truth = found
                ratios[f"{taps} {length}"] = round(near(mine, theirs, truth, f"{taps} {length}"), 2)
    none(problems)
    return f"times torchaudio's errors: {ratios}"


@check
def what_is_torchaudio_s_goes_to_torchaudio() -> str:
    x, said = 0.1 * noise(2, 9001), set()
    resample: Call = lambda m, x: m.functional.resample(x, 3, 2)  # noqa: E731 - as the filters are
    for call in (FILTERS["biquad"], FILTERS["highpass"], resample):
        assert torch.equal(call(our_audio, x.double()), call(torchaudio, x.double()))
        said |= {record.reason for record in compat.report()}
        compat.reset()
    with torch.autocast("cuda", torch.float16):
        mine, theirs = resample(our_audio, x), resample(torchaudio, x)
    assert mine.dtype == theirs.dtype
    assert torch.equal(mine, theirs)
    said |= {record.reason for record in compat.report()}
    compat.reset()
    assert len(said) == 2 and any("autocast" in reason for reason in said), said
    return "; ".join(sorted(said))


@check
def shifted_pitches() -> None:
    x = noise(2, 16000)
    for steps in (-4, 3, 12):
        mine, theirs = (m.functional.pitch_shift(x, 16000, steps) for m in (our_audio, torchaudio))
        served()
        assert (mine.shape, mine.stride()) == (theirs.shape, theirs.stride())
        assert float((mine - theirs).abs().max() / theirs.abs().max()) < 2e-2, steps
    mine, theirs = (m.functional.loudness(0.1 * noise(2, 2, 32000), 16000) for m in (our_audio, torchaudio))
    assert torch.allclose(mine, theirs, atol=1e-3), (mine, theirs)
