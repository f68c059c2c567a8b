"""Clean recordings and make what a model is fed of them: log-mel spectrograms and MFCCs. An ordinary torch program.

usage: features.py FOLDER recording.flac...
"""

import pathlib
import sys

import numpy as np
import soundfile
import torch
import torchaudio

N_FFT = 1024
HOP = 256
LOWEST_HZ = 80.0


class Features:
    """What is made of recordings of one sample rate."""

    def __init__(self, rate: int) -> None:
        frames = {"n_fft": N_FFT, "hop_length": HOP, "n_mels": 64}
        self.first_bin = round(LOWEST_HZ * N_FFT / rate)
        self.window = torch.hann_window(N_FFT)
        self.mel = torchaudio.transforms.MelSpectrogram(rate, **frames)
        self.to_decibel = torchaudio.transforms.AmplitudeToDB(top_db=80.0)
        self.mfcc = torchaudio.transforms.MFCC(rate, n_mfcc=20, melkwargs=frames)

    def __call__(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """x [channels, samples] -> the same without hum, its log-mel spectrogram and its cepstra."""
        spectrum = torch.stft(x, N_FFT, HOP, window=self.window, return_complex=True)
        spectrum[:, : self.first_bin] = 0
        clean = torch.istft(spectrum, N_FFT, HOP, window=self.window, length=x.shape[-1])
        return {"audio": clean, "mel": self.to_decibel(self.mel(clean)), "mfcc": self.mfcc(clean)}


def load(recording: pathlib.Path) -> tuple[torch.Tensor, int]:
    """Samples [channels, samples] and their rate."""
    samples, rate = soundfile.read(recording, dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T.copy()), rate


def main() -> None:
    folder, *recordings = map(pathlib.Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    for recording in recordings:
        x, rate = load(recording)
        found = {name: value.numpy() for name, value in Features(rate)(x).items()}
        soundfile.write(folder / f"{recording.stem}.wav", found["audio"].T, rate, subtype="FLOAT")
        np.savez(folder / f"{recording.stem}.npz", allow_pickle=False, **found)


if __name__ == "__main__":
    main()
