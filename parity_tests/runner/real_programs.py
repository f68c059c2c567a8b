"""Programs that none of us wrote, unchanged: ``python -m mlx_spectro.compat --verify real_programs.py auraloss``."""

from __future__ import annotations

import sys

import numpy as np

TIMES = 10


def auraloss() -> None:
    """A training step's loss and its gradient."""
    import torch
    from auraloss import freq

    torch.manual_seed(0)
    aim = torch.randn(4, 1, 44100)
    for loss in (freq.MultiResolutionSTFTLoss(), freq.STFTLoss(w_phs=1.0)):
        guess = torch.randn(4, 1, 44100, requires_grad=True)
        for _ in range(TIMES):
            loss(guess, aim).backward()
        assert guess.grad is not None
        print(f"loss gradient {guess.grad.abs().sum().item():.4f}")


def openunmix() -> None:
    """Music to spectra and back."""
    import torch
    from openunmix import transforms

    torch.manual_seed(0)
    stft, istft = transforms.make_filterbanks(n_fft=4096, n_hop=1024, center=True)
    audio = torch.randn(1, 2, 88200)
    for _ in range(TIMES):
        spectrum = stft(audio)
        again = istft(spectrum, length=audio.shape[-1])
    print(f"round trip {(audio - again).abs().max().item():.1e}, {transforms.ComplexNorm()(spectrum).sum().item():.0f}")


def resemblyzer() -> None:
    """What a voice encoder is fed."""
    from resemblyzer import audio

    wave = np.random.default_rng(0).standard_normal(160000).astype(np.float32)
    for _ in range(TIMES):
        frames = audio.wav_to_mel_spectrogram(wave)
    print(f"frames {frames.shape}")


if __name__ == "__main__":
    {"auraloss": auraloss, "openunmix": openunmix, "resemblyzer": resemblyzer}[sys.argv[1]]()
