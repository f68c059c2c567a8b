"""Our functions of librosa.feature."""
