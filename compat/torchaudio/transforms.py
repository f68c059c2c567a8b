"""torchaudio.transforms, with our classes in place of its own."""

from ..install import proxy

proxy.stand_in(__name__, "torchaudio.transforms")
