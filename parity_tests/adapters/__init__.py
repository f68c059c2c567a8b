"""Tests of what stands in for torch, torchaudio and librosa."""
