"""torchaudio, passed through."""

from .. import proxy

proxy.stand_in(__name__, "torchaudio")
