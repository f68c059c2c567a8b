"""Take the hiss out of a recording by spectral gating. An ordinary torch program.

usage: denoise.py recording.flac cleaned.wav
"""

import sys
import time

import soundfile
import torch

N_FFT = 1024
HOP = 256
PASSES = 20


def denoise(x: torch.Tensor) -> torch.Tensor:
    """x [channels, samples] -> the same with everything near the quietest tenth of the frames turned down."""
    window = torch.hann_window(N_FFT)
    spectrum = torch.stft(x, N_FFT, HOP, window=window, return_complex=True)
    magnitude = spectrum.abs()
    floor = magnitude.quantile(0.1, dim=-1, keepdim=True)
    mask = torch.sigmoid(2 * (magnitude / (floor + 1e-8) - 3))
    return torch.istft(spectrum * mask, N_FFT, HOP, window=window, length=x.shape[-1])


def main() -> None:
    source, target = sys.argv[1:]
    samples, rate = soundfile.read(source, dtype="float32", always_2d=True)
    x = torch.from_numpy(samples.T.copy())
    y = denoise(x)
    start = time.perf_counter()
    for _ in range(PASSES):
        y = denoise(x)
    seconds = (time.perf_counter() - start) / PASSES
    soundfile.write(target, y.T.numpy(), rate, subtype="FLOAT")
    print(f"{x.shape[0]} x {x.shape[1]} samples, {seconds * 1e3:.2f} ms a pass")


if __name__ == "__main__":
    main()
