"""Filters and a threshold learnt through the mel spectrogram: gradients are ours too."""

import sys

import matplotlib.pyplot as plt
import soundfile
import torch
import torchaudio

audio, folder = sys.argv[1:]
samples, sample_rate = soundfile.read(audio, dtype="float32", always_2d=True)
clean = torch.from_numpy(samples.T.copy()).mean(0)
torch.manual_seed(0)
noisy = clean + 0.05 * torch.randn_like(clean)

mel = torchaudio.transforms.MelSpectrogram(sample_rate, n_fft=512, hop_length=128, n_mels=40)
gains = torch.zeros(257, requires_grad=True)
window = torch.hann_window(512)
optimizer = torch.optim.Adam([gains], lr=0.1)
losses = []
for _ in range(40):
    spectrum = torch.stft(noisy, 512, 128, window=window, return_complex=True)
    filtered = torch.istft(spectrum * gains.sigmoid()[:, None], 512, 128, window=window, length=clean.numel())
    loss = ((mel(filtered) + 1e-3).log() - (mel(clean) + 1e-3).log()).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"the distance falls from {losses[0]:.2f} to {losses[-1]:.2f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.plot(losses)
left.set(title="distance of log-mel spectrograms", xlabel="step")
right.plot(torch.linspace(0, sample_rate / 2, 257), gains.detach().sigmoid())
right.set(title="the filter", xlabel="Hz")
figure.savefig(f"{folder}/training.png")
