"""Whose memory an array lies in, who computes with it, and how it gets there."""
