"""Adapters of functions of torchaudio.compliance."""
