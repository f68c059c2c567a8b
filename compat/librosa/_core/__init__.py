"""Our functions that librosa shows both in its own name and in ``core``'s."""
