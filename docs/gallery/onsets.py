"""Where notes begin, and where the beat lies."""

import sys

import librosa
import librosa.display
import matplotlib.pyplot as plt

audio, folder = sys.argv[1:]
y, sr = librosa.load(audio, duration=10)
strength = librosa.onset.onset_strength(y=y, sr=sr)
onsets = librosa.onset.onset_detect(onset_envelope=strength, sr=sr, units="time")
tempo, beats = librosa.beat.beat_track(onset_envelope=strength, sr=sr, units="time")
print(f"{onsets.size} onsets, {float(tempo[0]):.1f} beats a minute")

figure, (above, below) = plt.subplots(2, sharex=True, figsize=(9, 5), layout="constrained")
times = librosa.times_like(strength, sr=sr)
above.plot(times, strength)
above.vlines(onsets, 0, strength.max(), color="C1", alpha=0.6)
above.set(title="onset strength, and onsets")
tempogram = librosa.feature.tempogram(onset_envelope=strength, sr=sr)
librosa.display.specshow(tempogram, sr=sr, x_axis="time", y_axis="tempo", ax=below)
below.axhline(tempo[0], color="w", linestyle="--")
below.set(title="tempogram, and the tempo")
figure.savefig(f"{folder}/onsets.png")
