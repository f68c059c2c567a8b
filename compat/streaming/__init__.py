"""Streams: the STFT, its inverse and mel spectrograms of signals that come in chunks, equal to the offline call."""

from .streams import StreamingISTFT, StreamingMelSpectrogram, StreamingSTFT

__all__ = ["StreamingISTFT", "StreamingMelSpectrogram", "StreamingSTFT"]
