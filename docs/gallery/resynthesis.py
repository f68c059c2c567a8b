"""Speech slower, higher, and from its mel spectrogram alone."""

import sys

import librosa
import librosa.display
import matplotlib.pyplot as plt
import numpy as np
import soundfile

audio, folder = sys.argv[1:]
y, sr = librosa.load(audio, sr=None)
mel = librosa.feature.melspectrogram(y=y, sr=sr, n_fft=512, hop_length=128, n_mels=64)
magnitudes = librosa.feature.inverse.mel_to_stft(mel, sr=sr, n_fft=512)
versions = {
    "slower": librosa.effects.time_stretch(y, rate=0.7),
    "higher": librosa.effects.pitch_shift(y, sr=sr, n_steps=4),
    "from-mel": librosa.griffinlim(magnitudes, hop_length=128, random_state=0),
}

figure, axes = plt.subplots(4, figsize=(9, 9), layout="constrained")
for axis, (title, version) in zip(axes, {"speech": y, **versions}.items(), strict=True):
    soundfile.write(f"{folder}/{title}.flac", version, sr)
    level = librosa.amplitude_to_db(abs(librosa.stft(version, n_fft=512, hop_length=128)), ref=np.max)
    librosa.display.specshow(level, sr=sr, hop_length=128, n_fft=512, x_axis="time", y_axis="linear", ax=axis)
    axis.set(title=title, xlabel="")
figure.savefig(f"{folder}/resynthesis.png")
