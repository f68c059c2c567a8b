"""Pitch classes, of a transform whose bins are semitones apart and of an STFT."""

import sys

import librosa
import librosa.display
import matplotlib.pyplot as plt

audio, folder = sys.argv[1:]
y, sr = librosa.load(audio, duration=10)
constant_q = librosa.amplitude_to_db(abs(librosa.cqt(y, sr=sr)), ref=1.0)
of_stft = librosa.feature.chroma_stft(y=y, sr=sr, n_fft=4096)
of_cqt = librosa.feature.chroma_cqt(y=y, sr=sr)

figure, axes = plt.subplots(3, sharex=True, figsize=(9, 7), layout="constrained")
librosa.display.specshow(constant_q, sr=sr, x_axis="time", y_axis="cqt_note", ax=axes[0])
librosa.display.specshow(of_stft, sr=sr, x_axis="time", y_axis="chroma", ax=axes[1])
librosa.display.specshow(of_cqt, sr=sr, x_axis="time", y_axis="chroma", ax=axes[2])
for axis, title in zip(axes, ("constant-Q transform", "chroma of the STFT", "chroma of the CQT"), strict=True):
    axis.set(title=title, xlabel="")
figure.savefig(f"{folder}/chroma.png")
