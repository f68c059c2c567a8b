"""python -m benchmarks.torch_cuda.every: launches kernels of every kind once, for a tool that looks at their memory.

Runs under ``compute-sanitizer --tool memcheck``, ``racecheck`` or ``initcheck``, with ``--report-api-errors no``: the
bindings ask drivers for functions that they have not.
"""

from __future__ import annotations

import torch

from mlx_spectro import compat, diagnostics
from mlx_spectro.compat import torch as ours
from mlx_spectro.compat import torchaudio as our_audio
from mlx_spectro.compat.torchaudio.compliance import kaldi

from .cases import TRANSFORMS
from .check import DEVICE, noise
from .filtering import FILTERS, RATES, SPEECH


def main() -> None:
    """Launch, and say what was."""
    compat.route("ours")
    x = noise(2, 3, 5001)
    for make in TRANSFORMS.values():
        at = x.clone().requires_grad_()
        y = make(our_audio.transforms).to(DEVICE)(at)
        torch.autograd.grad(y.abs().square().sum(), at)
    for n_fft in (63, 64, 512, 1024, 2048, 4096):
        window, at = torch.hann_window(n_fft, device=DEVICE), noise(2, 9001).requires_grad_()
        z = ours.stft(at, n_fft, n_fft // 4, window=window, return_complex=True)
        ours.istft(z, n_fft, n_fft // 4, window=window).square().sum().backward()
        stretched = our_audio.transforms.TimeStretch(n_fft // 4, n_fft // 2 + 1, 0.3).to(DEVICE)(z.detach())
        our_audio.transforms.AmplitudeToDB(top_db=60.0)(stretched.abs())
    for n_fft in (70, 512, 1024):  # odd frames are torch's in double precision
        window = torch.hann_window(n_fft, dtype=torch.float64, device=DEVICE)
        at = noise(2, 9001).double().requires_grad_()
        z = ours.stft(at, n_fft, n_fft // 4, window=window, return_complex=True)
        ours.istft(z, n_fft, n_fft // 4, window=window).square().sum().backward()
        mel = our_audio.transforms.MelSpectrogram(16000, n_fft, n_mels=20).double().to(DEVICE)
        mel(at).square().sum().backward()
    for rates in RATES:
        at = noise(2, 50 if rates == (1, 100) else 5001).requires_grad_()
        our_audio.functional.resample(at, *rates).square().sum().backward()
    for call in FILTERS.values():
        at = (0.1 * x).requires_grad_()
        call(our_audio, at).square().sum().backward()
    for features in SPEECH.values():
        features(kaldi, noise(2, 3001))
    our_audio.transforms.GriffinLim(400, 3).to(DEVICE)(noise(2, 201, 50).abs())
    taps = noise(2, 3, 40).requires_grad_()
    our_audio.functional.convolve(x, taps).square().sum().backward()
    our_audio.transforms.SlidingWindowCmn(norm_vars=True)(noise(2, 90, 40))
    our_audio.transforms.SpecAugment(2, 20, 2, 9)(noise(2, 3, 40, 90))
    torch.cuda.synchronize()
    launched = diagnostics.get_cache_debug_stats()["kernel_cache"]
    print(len(launched), "kernels:", *sorted(launched))
    print(*{record.reason for record in compat.report() if record.reason}, sep="\n")


if __name__ == "__main__":
    main()
