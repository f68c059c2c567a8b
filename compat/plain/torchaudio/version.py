"""The version of torchaudio whose names these are."""

__version__ = "2.11.0+mlx.spectro"
git_version = ""
