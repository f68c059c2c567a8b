"""The melody of a voice."""

import sys

import librosa
import librosa.display
import matplotlib.pyplot as plt
import numpy as np

audio, folder = sys.argv[1:]
y, sr = librosa.load(audio, sr=None)
f0, voiced, _ = librosa.pyin(y, sr=sr, fmin=65, fmax=600, frame_length=1024)
print(f"voiced for {100 * voiced.mean():.0f} % of the time, at {np.nanmedian(f0):.0f} Hz in the middle")

level = librosa.amplitude_to_db(abs(librosa.stft(y, n_fft=1024, hop_length=256)), ref=np.max)
figure, axis = plt.subplots(figsize=(9, 4), layout="constrained")
librosa.display.specshow(level, sr=sr, hop_length=256, n_fft=1024, x_axis="time", y_axis="log", ax=axis)
axis.plot(librosa.times_like(f0, sr=sr, hop_length=256), f0, color="cyan", linewidth=3)
axis.set(title="a voice, and its fundamental frequency")
figure.savefig(f"{folder}/pitch.png")
