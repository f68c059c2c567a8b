"""The beat, and chroma from beat to beat."""

import sys

import librosa
import librosa.display
import matplotlib.pyplot as plt
import numpy as np

audio, folder = sys.argv[1:]
y, sr = librosa.load(audio)
strength = librosa.onset.onset_strength(y=y, sr=sr, aggregate=np.median)
tempo, beats = librosa.beat.beat_track(onset_envelope=strength, sr=sr)
pulse = librosa.beat.plp(onset_envelope=strength, sr=sr, win_length=128)
chroma = librosa.feature.chroma_cqt(y=y, sr=sr)
print(f"{beats.size} beats, {float(tempo[0]):.1f} a minute")

figure, axes = plt.subplots(3, figsize=(9, 7), layout="constrained")
times = librosa.times_like(strength, sr=sr)
for axis, curve, title in zip(axes, (strength, pulse), ("onset strength, and beats", "local pulse"), strict=False):
    axis.plot(times, librosa.util.normalize(curve))
    axis.vlines(times[beats], 0, 1, color="C1", linestyle="--")
    axis.set(title=title, xlim=(0, times[-1]))
synchronous = librosa.util.sync(chroma, beats, aggregate=np.median)
librosa.display.specshow(synchronous, y_axis="chroma", x_axis="frames", ax=axes[2])
axes[2].set(title="chroma from beat to beat", xlabel="beat")
figure.savefig(f"{folder}/beats.png")
