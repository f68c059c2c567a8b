"""Music as the sum of what sounds and what strikes."""

import sys

import librosa
import librosa.display
import matplotlib.pyplot as plt
import soundfile

audio, folder = sys.argv[1:]
y, sr = librosa.load(audio, duration=10)
harmonic, percussive = librosa.effects.hpss(y, margin=2.0)
soundfile.write(f"{folder}/harmonic.flac", harmonic, sr)
soundfile.write(f"{folder}/percussive.flac", percussive, sr)

figure, axes = plt.subplots(3, sharex=True, figsize=(9, 7), layout="constrained")
for axis, part, title in zip(axes, (y, harmonic, percussive), ("music", "harmonic", "percussive"), strict=True):
    level = librosa.amplitude_to_db(abs(librosa.stft(part)), ref=abs(librosa.stft(y)).max())
    librosa.display.specshow(level, sr=sr, x_axis="time", y_axis="log", ax=axis, vmin=-80, vmax=0)
    axis.set(title=title, xlabel="")
figure.savefig(f"{folder}/separation.png")
