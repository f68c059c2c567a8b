"""What has to agree with other programs: Kaldi."""

from . import kaldi

__all__ = ["kaldi"]
