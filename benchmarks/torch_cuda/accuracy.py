"""Accuracy of spectra, inverses and transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torchaudio
from torch import Tensor

from mlx_spectro.compat import torch as ours
from mlx_spectro.compat import torchaudio as our_audio

from .cases import MEL, TRANSFORMS
from .check import DEVICE, both, check, each, near, noise, none, served


def _stft(n_fft: int, hop: int, win: int | None = None, **options: Any) -> Callable[[Any, Any], Tensor]:
    def call(library: Any, inputs: Any) -> Tensor:
        x, window = inputs
        return library.stft(x, n_fft, hop, win, window, return_complex=True, **options)  # type: ignore[no-any-return]

    return call


def _istft(n_fft: int, hop: int, win: int | None = None, **options: Any) -> Callable[[Any, Any], Tensor]:
    def call(library: Any, inputs: Any) -> Tensor:
        z, window = inputs
        return library.istft(z, n_fft, hop, win, window, **options)  # type: ignore[no-any-return]

    return call


_OPTIONS: dict[str, dict[str, Any]] = {
    **{mode: {"pad_mode": mode} for mode in ("reflect", "constant", "replicate", "circular")},
    "not centred": {"center": False},
    "normalized": {"normalized": True},
    "two-sided": {"onesided": False},
}
_SIZES = ((63, 16), (64, 16), (400, 160), (441, 100), (512, 128), (1024, 256), (2048, 512), (4096, 1024), (8192, 2048))


@check
def spectra() -> str:
    worst, problems = 0.0, list[str]()
    for n_fft, hop in _SIZES:
        window = torch.hann_window(n_fft, device=DEVICE)
        for lead in ((), (1,), (3,)):
            for name, options in _OPTIONS.items() if n_fft in (63, 512) else [("reflect", {})]:
                x = noise(*lead, 4 * n_fft + 1237)
                with each(problems):
                    worst = max(worst, both(_stft(n_fft, hop, **options), x, window, what=f"{n_fft} {lead} {name}"))
    none(problems)
    return f"at most {worst:.2f} times torch's errors"


@check
def single_frames() -> None:
    window, problems = torch.hann_window(512, device=DEVICE), list[str]()
    for length in (512, 600):
        for lead in ((), (1,), (3,)):
            x = noise(*lead, length)
            with each(problems):
                both(_stft(512, 128, center=False), x, window, what=f"one frame {lead} {length}")
            with each(problems):
                both(_stft(512, 1024), x, window, what=f"one centred frame {lead} {length}")
    none(problems)


@check
def inverses() -> str:
    worst, problems = 0.0, list[str]()
    for n_fft, hop in _SIZES:
        window = torch.hann_window(n_fft, device=DEVICE)
        for lead in ((), (3,)):
            for onesided in (True, False) if n_fft in (63, 512) else (True,):
                x = noise(*lead, 4 * n_fft + 1237)
                z = torch.stft(x, n_fft, hop, window=window, onesided=onesided, return_complex=True)
                for spectrum in (z, z.contiguous()):
                    for length in (None, 3 * n_fft + 1):
                        call = _istft(n_fft, hop, onesided=onesided, length=length)
                        what = f"{n_fft} {lead} {onesided} {length}"
                        with each(problems):
                            worst = max(worst, both(call, spectrum, window, what=what))
    none(problems)
    return f"at most {worst:.2f} times torch's errors"


@check
def views_and_odd_addresses() -> None:
    window, problems = torch.hann_window(513, device=DEVICE)[1:], list[str]()
    for name, x in {
        "an odd address": noise(9001)[1:],
        "odd rows": noise(3, 3001),
        "every third": noise(3, 9003)[1:, ::3],
        "expanded": noise(3000).expand(4, 3000),
        "transposed": noise(3000, 3).t(),
    }.items():
        with each(problems):
            both(_stft(512, 128), x, window, what=name, strides=name != "expanded")
    none(problems)
    z = torch.stft(noise(2, 4000), 512, 128, window=window, return_complex=True)
    both(_istft(512, 128), z.conj(), window, what="a conjugate")
    both(_stft(512, 100, 300), noise(2, 4000), window[:300], what="a short window")
    both(_istft(512, 100, 300), z, window[100:400], what="an inverse by a short window")


@check
def transforms() -> str:
    ratios, problems = {}, list[str]()
    for name, make in TRANSFORMS.items():
        ratio = 0.0
        for lead in ((), (1,), (2, 3)):
            x, modules = noise(*lead, 8001), [make(m.transforms).to(DEVICE) for m in (our_audio, torchaudio)]
            mine = modules[0](x)
            truth = make(torchaudio.transforms).double().to(DEVICE)(x.double())
            with each(problems):
                served()
                ratio = max(ratio, near(mine, modules[1](x), truth, f"{name} {lead}"))
        ratios[name] = round(ratio, 2)
    none(problems)
    return f"times torchaudio's errors: {ratios}"


@check
def filters_and_inverses() -> None:
    z = torch.stft(noise(6, 9001), 400, 200, window=torch.hann_window(400, device=DEVICE), return_complex=True)
    given: dict[str, tuple[Callable[[Any], Any], Tensor]] = {
        "MelScale": (lambda m: m.MelScale(80, 16000, n_stft=201), z.abs().square()),
        "MelScale of what torch lays out": (lambda m: m.MelScale(80, 16000, n_stft=201), z.abs().contiguous()),
        "AmplitudeToDB": (lambda m: m.AmplitudeToDB(top_db=60.0), z.abs().square()),
        "InverseSpectrogram": (lambda m: m.InverseSpectrogram(400, normalized="window"), z.reshape(2, 3, *z.shape[1:])),
    }
    for name, (make, x) in given.items():
        mine = make(our_audio.transforms).to(DEVICE)(x)
        served()
        truth = make(torchaudio.transforms).double().to(DEVICE)(x.to(torch.promote_types(x.dtype, torch.float64)))
        near(mine, make(torchaudio.transforms).to(DEVICE)(x), truth, name)


@check
def a_changed_bank_is_seen() -> None:
    mel, theirs = (m.transforms.MelSpectrogram(16000, **MEL).to(DEVICE) for m in (our_audio, torchaudio))
    x = noise(2, 5001)
    mel(x)
    mel.mel_scale.fb.mul_(3)
    assert torch.allclose(mel(x), 3 * theirs(x), rtol=1e-4)
    served()


@check
def one_nan_spoils_its_frames() -> None:
    x, window = noise(2, 9001), torch.hann_window(512, device=DEVICE)
    x[1, 4000] = float("nan")
    z, expected = (m.stft(x, 512, 128, window=window, return_complex=True) for m in (ours, torch))
    assert torch.equal(z.isnan().any(-2), expected.isnan().any(-2))
    assert z.isnan().any()
