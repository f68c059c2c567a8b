"""Adapters of librosa.effects."""
