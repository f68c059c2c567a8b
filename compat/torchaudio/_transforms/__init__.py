"""Our classes of torchaudio.transforms."""
