"""torchaudio, with our functions and classes in ``functional`` and ``transforms``."""

from ..install import proxy

proxy.stand_in(__name__, "torchaudio")
