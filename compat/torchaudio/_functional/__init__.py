"""Our functions of torchaudio.functional."""
