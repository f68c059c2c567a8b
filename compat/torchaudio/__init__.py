"""torchaudio, with our functions and classes in ``functional`` and ``transforms``."""

from ..install import absent, proxy

absent.provide()
proxy.stand_in(__name__, "torchaudio")
