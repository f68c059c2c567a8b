"""A transform whose bins lie as notes do, and its way back."""

import sys

import librosa
import librosa.display
import matplotlib.pyplot as plt
import numpy as np
import soundfile

audio, folder = sys.argv[1:]
y, sr = librosa.load(audio)
bins = {"n_bins": 7 * 24, "bins_per_octave": 24}
spectrum = librosa.cqt(y, sr=sr, **bins)
levels = {
    "constant-Q": abs(spectrum),
    "variable-Q": abs(librosa.vqt(y, sr=sr, **bins)),
    "hybrid": librosa.hybrid_cqt(y, sr=sr, **bins),
}
again = librosa.icqt(spectrum, sr=sr, bins_per_octave=24, length=y.size)
soundfile.write(f"{folder}/constant-q.flac", again, sr)
print(f"of the audio's energy, {100 * (1 - ((y - again) ** 2).sum() / (y**2).sum()):.1f} % comes back")

figure, axes = plt.subplots(3, sharex=True, figsize=(9, 8), layout="constrained")
for axis, (title, level) in zip(axes, levels.items(), strict=True):
    decibels = librosa.amplitude_to_db(level, ref=np.max)
    librosa.display.specshow(decibels, sr=sr, x_axis="time", y_axis="cqt_note", bins_per_octave=24, ax=axis)
    axis.set(title=title, xlabel="")
figure.savefig(f"{folder}/constantq.png")
