"""What repeats in music, and what stands out of it."""

import sys

import librosa
import librosa.display
import matplotlib.pyplot as plt
import numpy as np
import soundfile

audio, folder = sys.argv[1:]
y, sr = librosa.load(audio)
levels, phase = librosa.magphase(librosa.stft(y))
# of each frame, what the most alike of those at least half a second away have in common
width = librosa.time_to_frames(0.5, sr=sr)
alike = librosa.decompose.nn_filter(levels, aggregate=np.median, metric="cosine", width=int(width))
repeated = np.minimum(levels, alike)
background = librosa.util.softmask(repeated, 2 * (levels - repeated), power=2)
foreground = librosa.util.softmask(levels - repeated, 10 * repeated, power=2)
parts = {"music": levels, "background": background * levels, "foreground": foreground * levels}

figure, axes = plt.subplots(3, sharex=True, figsize=(9, 7), layout="constrained")
for axis, (title, part) in zip(axes, parts.items(), strict=True):
    if title != "music":
        soundfile.write(f"{folder}/{title}.flac", librosa.istft(part * phase, length=y.size), sr)
    level = librosa.amplitude_to_db(part, ref=levels.max())
    librosa.display.specshow(level, sr=sr, x_axis="time", y_axis="log", ax=axis, vmin=-80, vmax=0)
    axis.set(title=title, xlabel="")
figure.savefig(f"{folder}/foreground.png")
